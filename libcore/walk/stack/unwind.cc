#include "libcore/walk/stack/unwind.h"

#include <fmt/format.h>

#include "libcore/kernel/bootstrap.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/stack/frame_pointer.h"
#include "libcore/walk/stack/thunk.h"
#include "libcore/walk/stack/unwind_state.h"

namespace ktstr {

// How a stack is walked back, as unwind_next_frame() in arch/x86/kernel/unwind_orc.c does it. The
// state is an instruction, a stack pointer and a frame pointer. Each round adds a frame for them
// and takes one step to the caller:
// - UnwindRules finds the text in which the instruction lies and its ORC entry. Without an entry
// the
//   frame pointer is followed (frame_pointer.h), and the frame says so.
// - PreviousSp() computes from the entry what the stack pointer was in the caller.
// - What lies there depends on the entry's type: a return address just below (ReadCall), a whole
//   struct pt_regs (ReadRegs), or the five words that the processor pushes for an interrupt
//   (ReadPartialRegs). The last two tell what was interrupted. Where that was user mode, the stack
//   is whole.
// - FindBp() restores the caller's frame pointer.
//
// `exact` tells whether the instruction is the next one to be executed, as where a CPU stands and
// in what was interrupted, or a return address. That one lies behind its call and, where the call
// is the last instruction of a function, in the next function: the byte before it is looked up.
//
// Memory may hold anything. So every word is read from one of the stacks that the task or CPU has,
// each stack is entered once, and on one stack each caller lies above its callee.

Unwinder::Unwinder(const GuestKernel& kernel, UnwindRules rules)
    : kernel_(&kernel), rules_(std::move(rules)), memory_(kernel, Kva(0)), traced_(kernel) {
  // Before 6.5 (3aec4ecb3d1f) the C function of that name was not there, and the code was called
  // so.
  for (const char* name : {"ret_from_fork_asm", "ret_from_fork"}) {
    const auto kva = kernel.symbol_kva(name);
    if (kva && !fork_return_) fork_return_ = *kva;
  }
}

Result<Unwinder> Unwinder::Create(const Walk& walk, TextSymbols& text) {
  Unwinder unwinder(walk.kernel, KTSTR_TRY(UnwindRules::Create(walk, text)));
  KTSTR_TRY(unwinder.ResolveLayout(walk.types));
  return unwinder;
}

Status Unwinder::ResolveLayout(const TypeInfo& types) {
  const auto member = [&](const char* name) { return types.FindMember("pt_regs", name); };
  regs_.size = KTSTR_TRY(types.SizeOf("pt_regs"));
  regs_.ip = KTSTR_TRY(member("ip")).offset;
  regs_.sp = KTSTR_TRY(member("sp"));
  regs_.cs = KTSTR_TRY(member("cs"));
  regs_.cx = KTSTR_TRY(member("cx"));
  regs_.dx = KTSTR_TRY(member("dx"));
  regs_.di = KTSTR_TRY(member("di"));
  regs_.bp = KTSTR_TRY(member("bp"));
  regs_.r10 = KTSTR_TRY(member("r10"));
  regs_.r13 = KTSTR_TRY(member("r13"));
  regs_.ax = KTSTR_TRY(member("ax"));
  if (const auto type = member("fred_ss.type")) regs_.fred_type = *type;
  return {};
}

Unwound Unwinder::Unwind(const UnwindStart& start, std::span<const StackArea> stacks) {
  State state;
  state.ip = start.ip;
  state.sp = start.sp;
  state.bp = start.bp;
  state.exact = start.exact;
  state.known = start.registers;
  state.task = start.task;
  state.stacks = stacks;
  state.BeginOn(start.sp);
  for (;;) {
    const CodeInfo& code = rules_.At(state.ip, state.exact);
    if (!code.text) {
      const bool mapped = state.ip >= kStartKernelMap && kernel_->Translate(state.ip).has_value();
      state.End(mapped ? StackEnd::kNoRule : StackEnd::kNotText,
                mapped ? "code that the kernel keeps no name of"
                       : "the address is not in the kernel's text",
                state.ip);
      break;
    }
    if (state.result.frames.size() >= kMaxFrames) {
      state.End(StackEnd::kCap, fmt::format("more than {} frames", kMaxFrames), state.ip);
      break;
    }
    state.result.frames.push_back({state.ip, state.sp, state.KindAt(state.sp), &code});
    if (code.orc_unreadable) {
      state.End(StackEnd::kUnreadable, "the ORC table's entry for this code", state.ip);
      break;
    }
    std::optional<OrcEntry> rule = code.orc ? code.orc : ByFramePointer(code, state);
    if (rule && rule->type == OrcType::kUndefined) rule = ByCaller(code, state).value_or(*rule);
    if (!rule) {
      const bool generated = code.place.kind == TextKind::kBpf;
      state.End(StackEnd::kNoRule,
                generated ? "generated code of an unknown form"
                          : "no table covers this code, and its frame pointer leads nowhere",
                state.ip);
      break;
    }
    if (rule->type == OrcType::kEndOfStack) {
      EndAtEntry(code, state);
      break;
    }
    const bool returns = state.exact && IsReturnThunk(code.place.symbol);
    const bool to_target = returns && SkipTarget(*rule, state);
    const bool ends_entry = state.exact && EndsErrorEntry(code.place.symbol);
    if (!Step(*rule, state)) break;
    // The stack is then as it will be at the instruction that is returned to.
    if ((returns && !to_target) || ends_entry) state.exact = true;
  }
  return std::move(state.result);
}

// What to do where no table says it. In a kernel without ORC every function keeps its caller's
// frame pointer below its return address, and its own there; entry code leaves the address of the
// registers that it kept in the frame pointer, with bit 0 set (ENCODE_FRAME_POINTER in
// arch/x86/include/asm/frame.h). Nothing where that is not what is found.
std::optional<OrcEntry> Unwinder::ByFramePointer(const CodeInfo& code, State& state) {
  constexpr OrcEntry kEnd = {.type = OrcType::kEndOfStack};
  state.result.frames.back().by_frame_pointer = true;
  if (rules_.has_orc()) return ByFramePointerBeside(state);
  const bool begins = fork_return_ && code.place.begin == *fork_return_;
  if (begins || state.bp == 0 || (code.in_entry_text && state.exact)) return kEnd;
  if ((state.bp & 1) != 0) {
    return OrcEntry{
        .sp_offset = -1, .sp_reg = OrcRegister::kBp, .type = OrcType::kRegs, .signal = true};
  }
  if (state.exact) {
    const auto orc = UnwindPrologue(*kernel_, code.place.begin, state.ip);
    if (orc) return orc;
  }
  return ByFramePointerBeside(state);
}

// The kernel keeps some functions out of its table (STACK_FRAME_NON_STANDARD), above all
// __crash_kexec (kernel/kexec_core.c), in which every CPU that panics ends. Their frames are short:
// the first word above the stack pointer that stands behind a direct call of this very function is
// the way back.
std::optional<OrcEntry> Unwinder::ByCaller(const CodeInfo& code, const State& state) {
  constexpr int16_t kLongestFrame = 1024;
  constexpr uint8_t kCall = 0xe8;
  if (code.place.symbol.empty() || state.on == nullptr) return std::nullopt;
  for (int16_t at = 0; at < kLongestFrame; at += 8) {
    const Kva slot = state.sp + uint64_t(at);
    const auto to =
        state.on->Contains(slot, 8) ? memory_.ReadAt<Kva>(slot.value()) : Result<Kva>(Kva(0));
    if (!to || *to < kStartKernelMap || !rules_.text().Find(*to - 1)) continue;
    const auto opcode = kernel_->Read<uint8_t>(*to - 5);
    const auto distance = kernel_->Read<int32_t>(*to - 4);
    if (!opcode || *opcode != kCall || !distance) continue;
    if (*to + static_cast<uint64_t>(int64_t{*distance}) != code.place.begin) continue;
    return OrcEntry{
        .sp_offset = int16_t(at + 8), .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
  }
  return std::nullopt;
}

// Checked before it is believed: on this stack, above where it stands, and behind a call.
std::optional<OrcEntry> Unwinder::ByFramePointerBeside(State& state) {
  const Kva bp(state.bp);
  if ((state.bp & 7) != 0 || bp < state.sp || state.on == nullptr || !state.on->Contains(bp, 16)) {
    return std::nullopt;
  }
  const auto to = memory_.ReadAt<Kva>((bp + 8).value());
  if (!to || to->is_null() || !rules_.text().Find(*to - 1)) return std::nullopt;
  return kByFramePointer;
}

// An indirect jump's thunk returns, too: to the target, a function's begin, above which the way
// back stands. No call returns there, unless the function before ends in one that never returns.
bool Unwinder::SkipTarget(const OrcEntry& orc, State& state) {
  const Kva slot = state.sp + static_cast<uint64_t>(int64_t{orc.sp_offset}) - 8;
  const auto to = memory_.ReadAt<Kva>(slot.value());
  if (!to) return false;
  const auto place = rules_.text().Find(*to);
  if (!place || place->symbol.empty() || place->begin != *to) return false;
  state.sp = state.sp + 8;
  return true;
}

// The entry from user mode, before the registers are kept on a stack, or after they are restored.
void Unwinder::EndAtEntry(const CodeInfo& code, State& state) {
  if (!code.in_entry_text || !state.exact) {
    state.End(StackEnd::kEndOfStack, "", std::nullopt);
    return;
  }
  // The instruction syscall leaves the address behind it in rcx, where sysret expects it.
  const bool told = code.syscall_entry && state.known;
  state.End(StackEnd::kUserMode, "on the way between user mode and the kernel",
            told ? std::optional(Kva(state.known->cx)) : std::nullopt);
}

}  // namespace ktstr
