// A child process that does not outlive us, however we end, unless it is to.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "capture/system/deadline.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  // Open files that the child keeps under the same numbers. It gets no others.
  std::vector<int> kept_fds = {};
  int stdout_fd = -1;  // -1: /dev/null
  int stderr_fd = -1;
  bool outlives_us = false;  // whether the kernel lets it live when we end (see Release)
};

class ChildProcess {
 public:
  // Starts it in a process group of its own (a Ctrl-C at our terminal is not its business), with
  // /dev/null as its input; what it makes (QEMU its sockets) is this user's alone. The kernel kills
  // it when we end, kill -9 included. Errors: kIo, also when there is no such program.
  static Result<ChildProcess> Start(const ChildOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  // Kills it if it still runs.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Readable for poll(2) once the child has ended.
  int pidfd() const { return pidfd_.get(); }

  // Waits until it has ended: its wait status, as waitpid(2) gives it. Errors: kTimeout, kIo.
  Result<int> Wait(Deadline deadline);
  // From now on it is nobody's: neither this object nor, where it outlives us, our end kills it.
  void Release() { pid_ = -1; }
  // Sends SIGKILL and waits.
  void Kill();

 private:
  ChildProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<int> status_;
};

// For a process that was just forked: closes every file from 3 on but these, which are sorted.
void CloseFilesBut(const std::vector<int>& kept);

// "ended with exit status 1", "was killed by signal 9 (Killed)".
std::string DescribeWaitStatus(int status);

}  // namespace ktstr
