// Copies a file into one that is in the making. (std::filesystem does not say that a disk is full:
// what it could not copy is "Input/output error" to it.)
#pragma once

#include <filesystem>

#include "libcore/base/result.h"
#include "libcore/base/temporary_file.h"

namespace ktstr {

// In place of what is in it. Errors: kIo, with the file that could not be read or written.
Status CopyInto(const std::filesystem::path& from, const TemporaryFile& to);

}  // namespace ktstr
