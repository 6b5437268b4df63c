// How a test's scheduler gets to work: as an object that our init loads, or by a loader of its own.
#pragma once

#include <functional>
#include <string>

#include "capture/boot/guest_machine.h"
#include "capture/run/monitor.h"
#include "capture/run/test_log.h"
#include "capture/scenario/scenario.h"

namespace ktstr {

class SchedulerStart {
 public:
  // `tell` is told of each step. All arguments must outlive this object.
  SchedulerStart(Monitor& monitor, GuestMachine& machine, TestLog& log,
                 std::function<void(const std::string&)> tell)
      : monitor_(monitor), machine_(machine), log_(log), tell_(std::move(tell)) {}

  // A scheduler that does not load, or whose loader fails, fires the trigger "scheduler-load": it
  // is at fault, not the test. Errors: those of asking the guest.
  Status Scheduler(const SchedulerSpec& scheduler);

  // How many schedulers the guest has enabled; from 7.1 on some may be below others. Errors: those
  // of asking the guest.
  Result<size_t> Count();
  // Waits until the payload of that name, before whose start there were so many schedulers, has one
  // more enabled. Errors: as above.
  Status AwaitLoader(const std::string& name, size_t before);

 private:
  void FireLoad(const std::string& what, const std::string& output);

  Monitor& monitor_;
  GuestMachine& machine_;
  TestLog& log_;
  std::function<void(const std::string&)> tell_;
};

}  // namespace ktstr
