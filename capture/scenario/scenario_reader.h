// Reads a scenario's file.
#pragma once

#include <filesystem>
#include <string_view>

#include "capture/scenario/scenario.h"
#include "libcore/base/result.h"

namespace ktstr {

// Paths in it are relative to it. Errors: kInvalidArgument as "FILE:LINE: what is wrong", with the
// nearest valid word where one was mistyped, also when the file cannot be read.
Result<Scenario> ReadScenario(const std::filesystem::path& file);

// The same of a text; `file` is how messages name it, and what paths are relative to.
Result<Scenario> ParseScenario(std::string_view text, const std::filesystem::path& file);

}  // namespace ktstr
