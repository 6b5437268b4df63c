// A loadable kernel module's file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// The module's name by its file's ("virtio-rng.ko.xz" is "virtio_rng"); "" when the file is no
// module.
std::string ModuleName(const std::filesystem::path& file);

// The names of the modules that must be loaded before it: "depends=" in its section .modinfo.
// Errors: kIo, kUnsupported when it is compressed, kDamaged when it is no ELF file.
Result<std::vector<std::string>> ModuleDependencies(const std::filesystem::path& file);

}  // namespace ktstr
