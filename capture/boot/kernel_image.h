// A guest kernel on this host's disk: a bzImage, and the modules that belong to it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

struct KernelImage {
  std::filesystem::path path;
  std::string release;            // such as "6.12.117-cloud-amd64", out of the image's header
  std::filesystem::path modules;  // its directory of modules; empty when there is none
  std::filesystem::path config;   // what it was configured with; empty when there is none
};

// Reads a bzImage's header (Documentation/arch/x86/boot.rst, kernel_version). Its modules are
// looked for where its package puts them: in ../lib/modules/RELEASE beside the image's directory,
// and in /lib/modules/RELEASE; its configuration as config-RELEASE or config beside the image, in
// the directory of modules, or in /boot. Errors: kNotFound when there is no such file, kIo,
// kUnsupported when it is no bzImage.
Result<KernelImage> OpenKernelImage(const std::filesystem::path& bzimage);

// The module files that must be loaded for `wanted` (names with underscores, such as
// "virtio_console") to be there, each after those it depends on. Modules built into the kernel need
// no file. Errors: kNotFound when a module is neither built in nor in the directory, kUnsupported
// when it is compressed, kDamaged when it is no ELF file.
Result<std::vector<std::filesystem::path>> ResolveModules(
    const KernelImage& kernel, const std::vector<std::string_view>& wanted);

}  // namespace ktstr
