#include "ktstr/capture/qemu_command.h"

#include <fmt/format.h>

#include "ktstr/capture/guest/protocol.h"
#include "ktstr/capture/memory_file.h"

namespace ktstr {

namespace {

// QEMU reads a comma as the end of a property's value; two commas are one.
std::string Escaped(std::string_view value) {
  std::string escaped;
  for (const char c : value) escaped.append(c == ',' ? 2 : 1, c);
  return escaped;
}

}  // namespace

std::string KernelCommandLine(const MachineOptions& options) {
  // panic=-1 ends the machine (-no-reboot) instead of leaving it hanging.
  // no_timer_check: on a busy host an emulated timer is late, and a kernel that measures it for a
  // few ticks while booting would give up ("IO-APIC + timer doesn't work").
  std::string line = "console=ttyS0 quiet panic=-1 no_timer_check";
  if (!options.kaslr) line += " nokaslr";
  if (!options.kernel_cmdline.empty()) line += " " + options.kernel_cmdline;
  return line;
}

std::vector<std::string> QemuCommand(const MachineOptions& options, const QemuFiles& files) {
  const char* accelerator = options.accelerator == Accelerator::kKvm ? "kvm" : "tcg";
  std::vector<std::string> argv = {
      options.qemu, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
      // The machine.
      "-machine", fmt::format("q35,memory-backend={}", kRamId), "-accel", accelerator, "-cpu",
      options.cpu_model, "-smp", fmt::format("{}", options.cpus), "-m",
      fmt::format("{}B", options.memory_bytes), "-object",
      fmt::format("memory-backend-memfd,id={},size={}B,share=on", kRamId, options.memory_bytes),
      // The guest.
      "-kernel", options.kernel.string(), "-append", KernelCommandLine(options)};
  const auto add = [&argv](std::initializer_list<std::string> more) {
    argv.insert(argv.end(), more);
  };
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
  if (!options.qmp_socket.empty()) {
    add({"-qmp", fmt::format("unix:{},server=on,wait=off", Escaped(options.qmp_socket.string()))});
  }
  argv.insert(argv.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  return argv;
}

}  // namespace ktstr
