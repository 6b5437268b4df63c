// A guest that goes on through all that is done to it from outside: one of ours, with workers that
// count what they do, and a monitor on a socket for others to connect to.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "capture/boot/guest_machine.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {

class SteadyGuest {
 public:
  // With four workers, kernel 6.12 and 256 MiB, on TCG.
  static Result<std::unique_ptr<SteadyGuest>> Boot();

  GuestMachine& machine() { return *machine_; }
  pid_t pid() const { return machine_->qemu().pid(); }
  std::string socket() const { return directory_ / "qmp"; }

  // Empty when every worker has done more than at the last call, else the names of those that have
  // not. Asks for up to a minute: a guest that has just been let go on may take a moment.
  std::string WhoStands();
  // The guest's own clock (CLOCK_MONOTONIC). Errors: those of GuestMachine::Report.
  Result<std::chrono::nanoseconds> Clock();

 private:
  SteadyGuest() = default;

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::map<std::string, uint64_t> rounds_;  // of each worker, when it was last seen to work
};

}  // namespace ktstr
