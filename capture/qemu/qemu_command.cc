#include "capture/qemu/qemu_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "capture/guest/protocol.h"
#include "capture/system/memory_file.h"

namespace ktstr {

namespace {

// QEMU reads a comma as the end of a property's value; two commas are one.
std::string Escaped(std::string_view value) {
  std::string escaped;
  for (const char c : value) escaped.append(c == ',' ? 2 : 1, c);
  return escaped;
}

std::string CpuTopology(const MachineOptions& options) {
  std::string text = fmt::format("{}", options.cpus);
  if (options.cores > 0 || options.threads > 0) {
    const int cores = std::max(options.cores, 1), threads = std::max(options.threads, 1);
    text += fmt::format(",sockets={},cores={},threads={}", options.cpus / (cores * threads), cores,
                        threads);
  }
  return text;
}

std::string MemoryBackend(const std::string& id, uint64_t bytes) {
  return fmt::format("memory-backend-memfd,id={},size={}B,share=on", id, bytes);
}

// RAM in one piece, or a piece per NUMA node with its share of the CPUs.
std::vector<std::string> Memory(const MachineOptions& options) {
  const int nodes = options.numa_nodes;
  if (nodes <= 1) {
    return {"-machine", fmt::format("q35,memory-backend={}", kRamId), "-object",
            MemoryBackend(kRamId, options.memory_bytes)};
  }
  std::vector<std::string> argv = {"-machine", "q35"};
  for (int node = 0; node < nodes; ++node) {
    const std::string id = node == 0 ? kRamId : fmt::format("{}{}", kRamId, node);
    const int first = options.cpus * node / nodes, last = options.cpus * (node + 1) / nodes - 1;
    argv.insert(argv.end(),
                {"-object", MemoryBackend(id, options.memory_bytes / unsigned(nodes)), "-numa",
                 fmt::format("node,nodeid={},cpus={}-{},memdev={}", node, first, last, id)});
  }
  return argv;
}

}  // namespace

std::string KernelCommandLine(const MachineOptions& options) {
  // panic=-1 ends the machine (-no-reboot) instead of leaving it hanging.
  // no_timer_check: on a busy host an emulated timer is late, and a kernel that measures it for a
  // few ticks while booting would give up ("IO-APIC + timer doesn't work").
  std::string line = "console=ttyS0 quiet panic=-1 no_timer_check";
  // While a guest on KVM is frozen its time stands still, but the processor's time stamp counter
  // goes on: no reason for the kernel to distrust a clock that it does not use.
  if (options.accelerator == Accelerator::kKvm) line += " tsc=nowatchdog";
  if (!options.kaslr) line += " nokaslr";
  if (!options.kernel_cmdline.empty()) line += " " + options.kernel_cmdline;
  return line;
}

std::vector<std::string> QemuCommand(const MachineOptions& options, const QemuFiles& files) {
  const char* accelerator = options.accelerator == Accelerator::kKvm ? "kvm" : "tcg";
  std::vector<std::string> argv = {
      options.qemu, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
      // The machine.
      "-accel", accelerator, "-cpu", options.cpu_model, "-smp", CpuTopology(options), "-m",
      fmt::format("{}B", options.memory_bytes),
      // The guest.
      "-kernel", options.kernel.string(), "-append", KernelCommandLine(options)};
  const auto add = [&argv](std::initializer_list<std::string> more) {
    argv.insert(argv.end(), more);
  };
  const std::vector<std::string> memory = Memory(options);
  argv.insert(argv.end(), memory.begin(), memory.end());
  if (options.guest_end == GuestEnd::kPause) add({"-action", "shutdown=pause"});
  if (files.initrd >= 0) add({"-initrd", PathOfFd(files.initrd)});
  if (files.console >= 0) {
    add({"-chardev", fmt::format("file,id=console,path={}", PathOfFd(files.console)), "-serial",
         "chardev:console"});
  }
  if (files.qmp >= 0) {
    add({"-chardev", fmt::format("socket,id=qmp,fd={}", files.qmp), "-mon",
         "chardev=qmp,mode=control"});
  }
  if (files.port >= 0) {
    add({"-device", "virtio-serial-pci", "-chardev",
         fmt::format("socket,id=port,fd={}", files.port), "-device",
         fmt::format("virtserialport,chardev=port,name={}", guest::kPortName)});
  }
  if (files.ops >= 0) {
    add({"-chardev", fmt::format("socket,id=ops,fd={}", files.ops), "-device",
         fmt::format("virtserialport,chardev=ops,name={}", guest::kOpsPortName)});
  }
  if (files.gdb >= 0) {
    add({"-chardev", fmt::format("socket,id=gdb,fd={}", files.gdb), "-gdb", "chardev:gdb"});
  }
  if (!options.qmp_socket.empty()) {
    add({"-qmp", fmt::format("unix:{},server=on,wait=off", Escaped(options.qmp_socket.string()))});
  }
  argv.insert(argv.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  return argv;
}

}  // namespace ktstr
