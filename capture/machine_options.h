// What machine to start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ktstr {

enum class Accelerator : uint8_t {
  kAuto,  // KVM where a guest boots on it, TCG else
  kKvm,
  kTcg,
};

// A file for the guest's initramfs.
struct GuestFile {
  std::filesystem::path host;
  std::string guest;            // where it will be: an absolute path
  uint32_t permissions = 0644;  // as in chmod(2)
};

struct MachineOptions {
  std::string qemu = "qemu-system-x86_64";
  Accelerator accelerator = Accelerator::kAuto;
  int cpus = 2;
  uint64_t memory_bytes = uint64_t{512} << 20;
  // QEMU's -cpu; with TCG "max" has five-level paging, "max,la57=off" four-level.
  std::string cpu_model = "max";
  std::filesystem::path kernel;
  std::string kernel_cmdline;  // added to what is needed for the console
  bool kaslr = true;
  std::vector<GuestFile> files;
  // Where the serial console is written; empty keeps it in memory.
  std::filesystem::path console;
  // One more QMP socket, for others to attach to; empty for none.
  std::filesystem::path qmp_socket;
  std::vector<std::string> extra_arguments;  // to QEMU, last
};

}  // namespace ktstr
