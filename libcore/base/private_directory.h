// Directories for what only its owner is to read.
#pragma once

#include <filesystem>

#include "libcore/base/result.h"

namespace ktstr {

// Makes the directory and those above it that are not there, each for its owner alone (mode 0700,
// whatever the umask). Directories that are there stay as they are. Errors: kIo.
Status MakePrivateDirectories(const std::filesystem::path& directory);

}  // namespace ktstr
