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

// What happens when the guest switches the machine off or resets it, as after a panic.
enum class GuestEnd : uint8_t {
  kExit,   // QEMU ends
  kPause,  // the machine stands still (run state "shutdown"), and can still be read
};

struct MachineOptions {
  std::string qemu = "qemu-system-x86_64";
  Accelerator accelerator = Accelerator::kAuto;
  int cpus = 2;
  // How the CPUs are laid out: cores per socket and threads per core; 0: as many sockets as CPUs.
  int cores = 0, threads = 0;
  // NUMA nodes, each with an equal part of the CPUs and of the memory.
  int numa_nodes = 1;
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
  GuestEnd guest_end = GuestEnd::kExit;
  // Whether QemuProcess has a connection to QEMU's gdb stub (TakeGdbPort).
  bool gdb_stub = false;
  // How many variables will be watched by it, each of which takes a debug register on KVM.
  int watched_variables = 0;
  std::vector<std::string> extra_arguments;  // to QEMU, last
};

}  // namespace ktstr
