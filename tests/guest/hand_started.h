// A machine that somebody has started by hand, not we: a kernel without a root file system, which
// panics, and then spins or resets, if it is not stopped before.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "capture/system/child_process.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

struct HandStartedOptions {
  std::string qemu = "installed";  // or a version
  std::string machine = "q35";
  bool resets = false;  // after the panic; it stands still as "shutdown" then
  std::string kernel_arguments;
  std::string until = "Kernel panic - not syncing";  // what it says on its console when it is there
  std::string memory_size = "256M";                  // as behind -m
  // What else QEMU is told.
  std::vector<std::string> arguments = {"-object",
                                        "memory-backend-memfd,id=mem0,size=256M,share=on",
                                        "-machine", "memory-backend=mem0"};
};

class HandStarted {
 public:
  // Starts it and waits until it has said so. A machine that resets stands still then, another is
  // stopped.
  static Result<std::unique_ptr<HandStarted>> Start(const HandStartedOptions& options);

  QmpClient& qmp() { return *qmp_; }
  pid_t pid() const { return qemu_->pid(); }
  // What the guest has said on its console.
  std::string Said() const;
  // Lets go of the monitor, which serves one at a time, and takes it again.
  void Disconnect() { qmp_.reset(); }
  Status Connect();
  std::string qmp_address() const { return "unix:" + std::string(directory_ / "qmp"); }
  const synthetic::TemporaryDirectory& directory() const { return directory_; }

 private:
  HandStarted() = default;
  static Result<std::unique_ptr<HandStarted>> StartOnce(const HandStartedOptions& options);
  std::string console() const { return directory_ / "console"; }
  // Until it is so; an error when QEMU has ended or the time is up.
  Status Await(const std::string& what, const std::function<bool()>& so);

  synthetic::TemporaryDirectory directory_;
  UniqueFd said_;
  std::optional<ChildProcess> qemu_;
  std::unique_ptr<QmpClient> qmp_;
};

}  // namespace ktstr
