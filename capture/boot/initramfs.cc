#include "capture/boot/initramfs.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "capture/guest/protocol.h"
#include "capture/system/system_error.h"

// A program's bytes, put between two symbols by the assembler.
#define KTSTR_INCLUDE_PROGRAM(name, file) \
  asm(".pushsection .rodata\n"            \
      ".balign 16\n" #name                \
      "_begin:\n"                         \
      ".incbin \"" file "\"\n" #name      \
      "_end:\n"                           \
      ".popsection\n");                   \
  extern "C" const std::byte name##_begin[], name##_end[]

KTSTR_INCLUDE_PROGRAM(ktstr_guest_init, KTSTR_GUEST_INIT);
KTSTR_INCLUDE_PROGRAM(ktstr_guest_ops, KTSTR_GUEST_OPS);

namespace ktstr {

namespace {

Result<std::string> ReadWholeFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return FailErrno(fmt::format("reading '{}'", path.string()));
  return bytes;
}

}  // namespace

std::span<const std::byte> GuestInitProgram() {
  return {ktstr_guest_init_begin, ktstr_guest_init_end};
}

std::span<const std::byte> GuestOpsProgram() {
  return {ktstr_guest_ops_begin, ktstr_guest_ops_end};
}

Status AddGuestBase(const KernelImage& kernel, CpioWriter* cpio) {
  for (const char* mount_point : {"dev", "proc", "sys", "tmp"}) cpio->AddDirectory(mount_point);
  cpio->AddFile("init", GuestInitProgram(), 0755);
  cpio->AddFile(guest::kOpsProgramPath + 1, GuestOpsProgram(), 0755);
  std::string list;
  for (const auto& module : KTSTR_TRY(ResolveModules(kernel, {"virtio_pci", "virtio_console"}))) {
    const std::string path = "ktstr/" + module.filename().string();
    cpio->AddFile(path, std::string_view(KTSTR_TRY(ReadWholeFile(module))));
    list += "/" + path + "\n";
  }
  cpio->AddFile(guest::kModuleListPath + 1, std::string_view(list));
  // Where libbpf looks for the values of a BPF object's .kconfig, as loaders of schedulers do.
  if (!kernel.config.empty()) {
    cpio->AddFile("boot/config-" + kernel.release,
                  std::string_view(KTSTR_TRY(ReadWholeFile(kernel.config))));
  }
  return {};
}

Status AddGuestFiles(const std::vector<GuestFile>& files, CpioWriter* cpio) {
  for (const GuestFile& file : files) {
    if (!file.guest.starts_with('/') || file.guest.ends_with('/')) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is no absolute path of a file in the guest", file.guest));
    }
    cpio->AddFile(file.guest.substr(1), std::string_view(KTSTR_TRY(ReadWholeFile(file.host))),
                  file.permissions);
  }
  return {};
}

}  // namespace ktstr
