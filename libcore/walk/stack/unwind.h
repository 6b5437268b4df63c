// Unwinding: from an instruction and a stack pointer back through every caller, as the kernel does
// it (arch/x86/kernel/unwind_orc.c), by the kernel's own ORC tables; in a kernel without them
// (unwind_frame.c), and in code that has none, by frame pointers. Where neither says for certain
// what comes next, the stack ends there with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/walk/stack/stack_bounds.h"
#include "libcore/walk/stack/stack_end.h"
#include "libcore/walk/stack/traced_return.h"
#include "libcore/walk/stack/unwind_rules.h"

namespace ktstr {

struct Frame {
  Kva ip;
  Kva sp;  // when it is or was executing there
  std::optional<StackKind> stack;
  const CodeInfo* code = nullptr;  // lives as long as the Unwinder
  std::optional<FrameKind> event;  // of code that any event enters: what entered it this time
  bool by_frame_pointer = false;   // no table covers its code

  FrameKind kind() const { return event.value_or(code->kind); }
};

// The registers that ORC counts from, beside the stack pointer.
struct OrcRegisters {
  uint64_t cx = 0, dx = 0, di = 0, bp = 0, r10 = 0, r13 = 0, ax = 0;
};

struct UnwindStart {
  Kva ip, sp;
  uint64_t bp = 0;
  bool exact = false;                     // ip is the next instruction, not one behind a call
  std::optional<OrcRegisters> registers;  // all of them, when it is a CPU that is unwound
  std::optional<Kva> task;                // for what tracers keep about it
};

struct Unwound {
  std::vector<Frame> frames;  // innermost first
  StackEnd end = StackEnd::kEndOfStack;
  std::optional<Kva> ip, sp;  // of user mode; or where it went wrong
  std::string detail;         // one sentence; may be empty
};

class Unwinder {
 public:
  // No stack of real kernels has that many frames.
  static constexpr size_t kMaxFrames = 1024;

  // Errors: those of OrcTables::Open, but a kernel without ORC is none. All arguments must outlive
  // this object.
  static Result<Unwinder> Create(const Walk& walk, TextSymbols& text);

  // Unwinds over these stacks, each of which is entered once at most.
  Unwound Unwind(const UnwindStart& start, std::span<const StackArea> stacks);

  // The address at which a new task begins (ret_from_fork_asm).
  std::optional<Kva> fork_return() const { return fork_return_; }

 private:
  struct State;
  struct PtRegsLayout {
    uint64_t size = 0, ip = 0;
    Member sp, cs, cx, dx, di, bp, r10, r13, ax;
    std::optional<Member> fred_type;  // since 6.9: what FRED delivered
  };

  Unwinder(const GuestKernel& kernel, UnwindRules rules);
  Status ResolveLayout(const TypeInfo& types);
  std::optional<OrcEntry> ByFramePointer(const CodeInfo& code, State& state);
  std::optional<OrcEntry> ByFramePointerBeside(State& state);
  std::optional<OrcEntry> ByCaller(const CodeInfo& code, const State& state);
  bool Step(const OrcEntry& orc, State& state);
  std::optional<Kva> PreviousSp(const OrcEntry& orc, State& state);
  bool ReadCall(Kva sp, State& state);
  bool ReadRegs(Kva sp, State& state);
  void TellEvent(Kva regs, State& state);
  bool ReadPartialRegs(Kva sp, State& state);
  bool FindBp(const OrcEntry& orc, Kva sp, State& state);
  bool Enter(Kva at, uint64_t size, State& state);
  std::optional<uint64_t> ReadWord(Kva at, State& state);
  bool SkipTarget(const OrcEntry& orc, State& state);
  void EndAtEntry(const CodeInfo& code, State& state);

  const GuestKernel* kernel_;
  UnwindRules rules_;
  ObjectReader memory_;
  PtRegsLayout regs_;
  TracedReturns traced_;
  std::optional<Kva> fork_return_;
};

}  // namespace ktstr
