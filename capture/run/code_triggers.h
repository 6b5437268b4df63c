// Triggers that stop the machine at one instruction, by break- and watchpoints of QEMU's gdb stub:
// scheduler-exit, panic, oops, soft-lockup, write, reached.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/live_memory.h"
#include "capture/qemu/gdb_stub.h"
#include "capture/qemu/machine_options.h"
#include "capture/qemu/qmp_client.h"
#include "capture/run/fired.h"
#include "capture/run/point_plan.h"
#include "capture/watch/running_kernel.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// The address of "SYMBOL" or "SYMBOL+OFFSET" (decimal, or hexadecimal with 0x) in a kernel. Errors:
// kNotFound with the nearest symbol, kInvalidArgument for an offset that is no number.
Result<Kva> ResolvePlace(const GuestKernel& kernel, std::string_view place);

class CodeTriggers {
 public:
  // Sets the points of those of `specs` that are its business, in a machine that stands still by
  // `stub`. `accelerator` says what the machine can offer (point_plan.h). `running` and the two
  // after it must outlive this object; its memory hides the breakpoints that are set. A kernel that
  // lacks what a trigger of the scenario's own names is an error; one that lacks what the always
  // armed need (sched_ext, say) is not. Errors: as ResolvePlace, PlanPlaces and GdbStub.
  static Result<CodeTriggers> Arm(const std::vector<TriggerSpec>& specs, Accelerator accelerator,
                                  RunningKernel& running, GdbStub& stub, QmpClient& qmp);

  // What a stop means; nothing when it is none of ours, and the machine may go on. Errors: those of
  // QMP.
  Result<std::optional<Fired>> Identify(const GdbStop& stop);
  // Lets the machine go on from that stop.
  Status GoOn(const GdbStop& stop);

  // The breakpoints that stand in the guest's text.
  const std::vector<PlantedByte>& planted() const { return planted_; }
  // A sentence for each place where the guest has changed its text beside or over a breakpoint
  // since the last call: a stop there can be missed from then on.
  std::vector<std::string> TakeChanges();

 private:
  // An instruction or a piece of a variable that is watched, for one trigger or several.
  struct Point {
    std::vector<TriggerSpec> specs;
    std::string place;  // the symbol
    Kva address;
    uint64_t size = 0;  // of what is watched for writes, in bytes; 0: an instruction
    BreakpointKind kind = BreakpointKind::kHardware;
    std::vector<std::byte> text;  // the instruction there, for a breakpoint in the text
    Pa pa;
    bool changed = false;
  };

  CodeTriggers(RunningKernel& running, GdbStub& stub, QmpClient& qmp)
      : running_(&running), kernel_(&running.kernel()), stub_(&stub), qmp_(&qmp) {}

  Status Add(const TriggerSpec& spec);
  void AddFirstOf(const TriggerSpec& spec, std::initializer_list<const char*> symbols);
  Status AddPlace(const TriggerSpec& spec);
  void AddPoint(const TriggerSpec& spec, std::string place, Kva address, uint64_t size);
  PlaceWish WishOf(const Point& point) const;
  Status Plan(std::optional<int> registers);
  Status Set(Point& point);
  Status Plant(Point& point);
  Point* FindInstruction(uint64_t rip);
  Result<bool> HoldsFor(const TriggerSpec& spec, const Point& point, const GdbStop& stop);

  RunningKernel* running_;
  const GuestKernel* kernel_;
  GdbStub* stub_;
  QmpClient* qmp_;
  std::vector<Point> points_;
  std::vector<PlantedByte> planted_;
};

}  // namespace ktstr
