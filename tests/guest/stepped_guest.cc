#include "stepped_guest.h"

#include <fmt/format.h>

#include "capture/freeze.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "libcore/qemu/vcpu_state.h"

namespace ktstr {

std::string SteppedGuest::Stack::ToString() const {
  std::string text;
  for (const StackFrameRow& frame : frames) {
    text +=
        fmt::format("{} {} {}+{:#x} {} {}\n", frame.depth, frame.kind, frame.symbol.value_or("-"),
                    frame.offset.value_or(0), frame.reason.value_or(""), frame.detail.value_or(""));
  }
  return text;
}

Result<std::unique_ptr<SteppedGuest>> SteppedGuest::Boot(MachineOptions options) {
  std::unique_ptr<SteppedGuest> guest(new SteppedGuest);
  const std::filesystem::path socket = guest->directory_ / "gdb";
  options.extra_arguments.insert(options.extra_arguments.end(),
                                 {"-gdb", "unix:" + socket.string() + ",server=on,wait=off"});
  guest->machine_ = KTSTR_TRY(GuestMachine::Boot(std::move(options)));
  GuestMachine& machine = *guest->machine_;
  guest->memory_ =
      KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(machine.qmp(), machine.qemu().pid()))));
  guest->gdb_ = KTSTR_TRY(GdbStub::Connect(socket));
  KTSTR_TRY(guest->gdb_->Continue());
  return guest;
}

Result<std::unique_ptr<GuestKernel>> SteppedGuest::OpenKernel() {
  // Of a machine that stands, this changes nothing, and leaves it so.
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine_->qmp()));
  const auto state = KTSTR_TRY(SaveDeviceState(frozen));
  return GuestKernel::Open(*memory_, KTSTR_TRY(ParseVcpus(*state)));
}

Result<SteppedGuest::Stack> SteppedGuest::StackOf(int cpu) {
  const auto kernel = KTSTR_TRY(OpenKernel());
  Walked<StackFrameRow> stacks = KTSTR_TRY(WalkStacks(*kernel));
  Stack stack;
  for (StackFrameRow& frame : stacks.rows) {
    if (frame.running == 1 && frame.cpu == cpu) stack.frames.push_back(std::move(frame));
  }
  if (stack.frames.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("CPU {} is on no task's stack", cpu));
  }
  const StackFrameRow& top = stack.frames.front();
  if (top.ip) stack.ip = Kva(top.ip->value);
  if (top.sp) stack.sp = Kva(top.sp->value);
  stack.reason = stack.frames.back().reason.value_or("");
  return stack;
}

}  // namespace ktstr
