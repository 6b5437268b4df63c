// A QEMU of ours: started with its RAM shared with us, reached over sockets that no file system
// knows, and gone when we are gone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/qemu/machine_options.h"
#include "capture/qemu/qemu_command.h"
#include "capture/qemu/qmp_client.h"
#include "capture/system/child_process.h"
#include "libcore/base/result.h"

namespace ktstr {

// A QEMU to start by a command line of the caller's.
struct QemuLaunch {
  // The command line, given the descriptors that QEMU will have.
  std::function<std::vector<std::string>(const QemuFiles&)> command;
  int initrd = -1;                // a file of the caller's; -1 for none
  std::filesystem::path console;  // where the serial console is written; empty keeps it in memory
  bool gdb_stub = false;          // whether to make TakeGdbPort's socket
  bool outlives_us = false;       // whether QEMU goes on when this process has ended (Release)
};

class QemuProcess {
 public:
  // Starts the machine; its guest runs at once. `options.accelerator` must not be kAuto (see
  // accelerator.h). `initrd` is a file descriptor of the initramfs, -1 for none. RAM is one
  // memory-backend-memfd, so nothing of it outlives QEMU. Errors: kIo, kPeer with what QEMU said
  // when it refused its command line, kTimeout.
  static Result<std::unique_ptr<QemuProcess>> Start(const MachineOptions& options, int initrd = -1);

  // The same by any command line, of a guest that may not run yet.
  static Result<std::unique_ptr<QemuProcess>> Launch(const QemuLaunch& launch);

  // Leaves QEMU to itself, where it was launched so: it is not ended with this object.
  void Release() { process_.Release(); }

  pid_t pid() const { return process_.pid(); }
  // Readable for poll(2) once QEMU has ended.
  int pidfd() const { return process_.pidfd(); }
  QmpClient& qmp() { return *qmp_; }
  // Our end of the virtio-serial port named guest::kPortName; to be taken once.
  UniqueFd TakePort() { return std::move(port_); }
  // The same of guest::kOpsPortName.
  UniqueFd TakeOpsPort() { return std::move(ops_port_); }

  // The same of QEMU's gdb stub; none unless MachineOptions::gdb_stub.
  UniqueFd TakeGdbPort() { return std::move(gdb_port_); }

  // Asks QEMU to end, and kills it when it does not. Its wait status. Errors: kIo.
  Result<int> Quit();
  // Waits until QEMU has ended by itself. Errors: kTimeout, kIo.
  Result<int> WaitForExit(Deadline deadline) { return process_.Wait(deadline); }
  void Kill() { process_.Kill(); }

  // The error, with what QEMU said last when it has ended.
  Error Explain(Error error);
  // The end of what the guest wrote to its serial console.
  std::string ConsoleTail(size_t limit = 65536) const;

 private:
  QemuProcess(ChildProcess process, UniqueFd stderr_file, UniqueFd console)
      : process_(std::move(process)),
        stderr_(std::move(stderr_file)),
        console_(std::move(console)) {}

  ChildProcess process_;
  UniqueFd stderr_, console_, port_, ops_port_, gdb_port_;
  std::unique_ptr<QmpClient> qmp_;
};

}  // namespace ktstr
