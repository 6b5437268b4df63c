// What the analyzer's findings say of an archive that a test has kept.
#pragma once

#include <filesystem>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// The sentence of its verdict and how certain that is; empty where nothing is wrong in the machine
// itself. `analyze` as in QueryArchive. Errors: those of QueryArchive.
Result<std::string> VerdictOf(const std::filesystem::path& analyze,
                              const std::filesystem::path& archive);

}  // namespace ktstr
