// Triggers that stop the machine at one instruction, by break- and watchpoints of QEMU's gdb stub:
// scheduler-exit, panic, oops, soft-lockup, write, reached.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ktstr/capture/gdb_stub.h"
#include "ktstr/capture/qmp_client.h"
#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/run/fired.h"

namespace ktstr {

// The address of "SYMBOL" or "SYMBOL+OFFSET" (decimal, or hexadecimal with 0x) in a kernel. Errors:
// kNotFound with the nearest symbol, kInvalidArgument for an offset that is no number.
Result<Kva> ResolvePlace(const GuestKernel& kernel, std::string_view place);

class CodeTriggers {
 public:
  // Sets the points of those of `specs` that are its business, in a machine that stands still by
  // `stub`. All three must outlive this object. A kernel that lacks what a trigger of the
  // scenario's own names is an error; one that lacks what the always armed need (sched_ext, say) is
  // not. Errors: as ResolvePlace and GdbStub.
  static Result<CodeTriggers> Arm(const std::vector<TriggerSpec>& specs, const GuestKernel& kernel,
                                  GdbStub& stub, QmpClient& qmp);

  // What a stop means; nothing when it is none of ours, and the machine may go on. Errors: those of
  // QMP.
  Result<std::optional<Fired>> Identify(const GdbStop& stop);
  // Lets the machine go on from that stop.
  Status GoOn(const GdbStop& stop);
  // Takes away the points that watch for the scheduler's end: it is about to be ended on purpose.
  // The machine must stand still.
  Status DisarmSchedulerExit();

 private:
  struct Point {
    TriggerSpec spec;
    Kva address;
    bool write = false;  // else a breakpoint
    std::string place;   // the symbol
  };

  CodeTriggers(const GuestKernel& kernel, GdbStub& stub, QmpClient& qmp)
      : kernel_(&kernel), stub_(&stub), qmp_(&qmp) {}

  Status Add(const TriggerSpec& spec);
  Status AddFirstOf(const TriggerSpec& spec, std::initializer_list<const char*> symbols);
  Status AddPoint(const TriggerSpec& spec, Kva address, bool write, std::string place);
  Result<bool> HoldsFor(const Point& point, const GdbStop& stop);

  const GuestKernel* kernel_;
  GdbStub* stub_;
  QmpClient* qmp_;
  std::vector<Point> points_;
};

}  // namespace ktstr
