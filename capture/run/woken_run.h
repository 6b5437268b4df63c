// A machine that was woken from an archive and runs on, for a while or until a trigger strikes.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/run/interrupt.h"
#include "capture/run/monitor.h"
#include "capture/scenario/trigger_spec.h"
#include "capture/wake/wake.h"
#include "libcore/base/result.h"
#include "libcore/ops/request.h"

namespace ktstr {

struct RunOnPlan {
  std::optional<std::chrono::microseconds> run_for;  // else without end
  std::optional<TriggerSpec> until;                  // strikes sooner, if it does
};

// How a run came to its end.
struct RunOnEnd {
  // "resumed" when the time was over; the trigger's name; "machine-end", "panic" when it ended by
  // itself; "interrupt" when the user ended it.
  std::string trigger = "resumed";
  std::string detail;  // for a person; may be empty
  std::map<std::string, std::string> values;
  bool gone = false;  // QEMU has ended: there is nothing to capture
};

class WokenRun {
 public:
  // Wakes the machine, which is paused then. `plan.until` needs QEMU's gdb stub, so options.places
  // must have no gdb_socket. `archive` must outlive it. Errors: those of WakeMachine; kUnsupported
  // for a trigger that only a guest with our init can strike, when it has none.
  static Result<std::unique_ptr<WokenRun>> Wake(const ArchiveReader& archive, WakeOptions options,
                                                const RunOnPlan& plan);

  // Does the batch while nothing runs. Errors: as LiveOps; a batch that fails is a reply.
  Result<OpReply> Do(const OpRequest& request);

  // Lets it run until its end by the plan; it stands still afterwards. Errors: those of QEMU and of
  // Monitor.
  Result<RunOnEnd> Run(const Interrupt& interrupt);

  // What an archive of it says of where it comes from and why it was made.
  CaptureOptions DescribeCapture(const RunOnEnd& end) const;

  QmpClient& qmp() { return machine_->qmp(); }
  QemuProcess& qemu() { return machine_->qemu(); }
  Accelerator accelerator() const { return machine_->accelerator(); }
  const std::string& qemu_version() const { return version_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  WokenRun(const ArchiveReader& archive, RunOnPlan plan)
      : archive_(archive), plan_(std::move(plan)) {}
  Result<RunOnEnd> RunUntilTrigger(const Interrupt& interrupt);
  Deadline End() const;

  const ArchiveReader& archive_;
  const RunOnPlan plan_;
  std::string version_;
  std::vector<std::string> notes_;
  std::unique_ptr<GuestMachine> machine_;
  std::vector<TriggerSpec> triggers_;
  std::unique_ptr<Monitor> monitor_;
};

}  // namespace ktstr
