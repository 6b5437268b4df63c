// One step of Unwinder from a function to its caller, as its ORC entry says: see unwind.cc.
#include "libcore/kernel/bootstrap.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/stack/unwind_state.h"

namespace ktstr {

namespace {

// What the processor pushes for an interrupt (Intel SDM volume 3, 6.14.2): ip, cs, flags, sp, ss.
constexpr uint64_t kIretFrameSize = 5 * 8, kIretCs = 8, kIretSp = 3 * 8;

}  // namespace

bool Unwinder::Step(const OrcEntry& orc, State& state) {
  const Kva ip = state.ip, sp_before = state.sp;
  const StackArea* on_before = state.on;
  if (orc.type == OrcType::kUndefined) {
    return state.End(StackEnd::kNoTable, "the ORC table has no way on from here", ip);
  }
  const auto sp = PreviousSp(orc, state);
  if (!sp) return false;
  const bool read = orc.type == OrcType::kCall   ? ReadCall(*sp, state)
                    : orc.type == OrcType::kRegs ? ReadRegs(*sp, state)
                                                 : ReadPartialRegs(*sp, state);
  if (!read || !FindBp(orc, *sp, state)) return false;
  state.exact = orc.signal;
  if (state.on == on_before && state.on != nullptr && state.on->Contains(state.sp, 8) &&
      state.sp <= sp_before) {
    return state.End(StackEnd::kLoop, "the caller's stack lies below its callee's", state.sp);
  }
  return true;
}

std::optional<Kva> Unwinder::PreviousSp(const OrcEntry& orc, State& state) {
  const auto offset = static_cast<uint64_t>(int64_t{orc.sp_offset});
  const auto from = [&](uint64_t OrcRegisters::*reg) -> std::optional<Kva> {
    if (state.known) return Kva((*state.known).*reg);
    state.End(StackEnd::kNoTable, "the register to count from is not known here", state.ip);
    return std::nullopt;
  };
  switch (orc.sp_reg) {
    case OrcRegister::kSp:
      return state.sp + offset;
    case OrcRegister::kBp:
      return Kva(state.bp) + offset;
    case OrcRegister::kSpIndirect: {
      const auto sp = ReadWord(state.sp, state);
      return sp ? std::optional(Kva(*sp) + offset) : std::nullopt;
    }
    case OrcRegister::kBpIndirect: {
      const auto sp = ReadWord(Kva(state.bp) + offset, state);
      return sp ? std::optional(Kva(*sp)) : std::nullopt;
    }
    case OrcRegister::kAx:
      return from(&OrcRegisters::ax);
    case OrcRegister::kDx:
      return from(&OrcRegisters::dx);
    case OrcRegister::kDi:
      return from(&OrcRegisters::di);
    case OrcRegister::kR10:
      return from(&OrcRegisters::r10);
    case OrcRegister::kR13:
      return from(&OrcRegisters::r13);
    default:
      state.End(StackEnd::kNoTable, "the ORC table counts from an unknown register", state.ip);
      return std::nullopt;
  }
}

// Makes sure that [at, at + size) lies on the stack that is being unwound, or on one that was not
// yet.
bool Unwinder::Enter(Kva at, uint64_t size, State& state) {
  if (state.on != nullptr && state.on->Contains(at, size)) return true;
  for (size_t i = 0; i < state.stacks.size(); ++i) {
    if (!state.stacks[i].Contains(at, size)) continue;
    if ((state.entered >> i & 1) != 0) {
      return state.End(StackEnd::kLoop, "the way back returns to a stack that it had left", at);
    }
    state.entered |= 1u << i;
    state.on = &state.stacks[i];
    return true;
  }
  return state.End(StackEnd::kOffStack, "the way back leads off the stack", at);
}

std::optional<uint64_t> Unwinder::ReadWord(Kva at, State& state) {
  if (!Enter(at, sizeof(uint64_t), state)) return std::nullopt;
  const auto word = memory_.ReadAt<uint64_t>(at.value());
  if (word) return *word;
  state.End(StackEnd::kUnreadable, word.error().ToString(), at);
  return std::nullopt;
}

bool Unwinder::ReadCall(Kva sp, State& state) {
  const Kva slot = sp - 8;
  const auto word = ReadWord(slot, state);
  if (!word) return false;
  Kva ip(*word);
  if (traced_.Replaces(ip)) {
    const auto before = traced_.Before(slot, state.task);
    if (!before) {
      return state.End(StackEnd::kReplaced, "a tracer keeps the return address elsewhere", ip);
    }
    ip = *before;
  }
  state.ip = ip;
  state.sp = sp;
  state.known.reset();
  return true;
}

bool Unwinder::ReadRegs(Kva sp, State& state) {
  if (!Enter(sp, regs_.size, state)) return false;
  ObjectReader& m = memory_;
  const auto word = [&](const Member& member) {
    return m.ReadAt<uint64_t>(sp.value() + member.offset);
  };
  const auto ip = m.ReadAt<Kva>(sp.value() + regs_.ip);
  const auto cs = word(regs_.cs), next_sp = word(regs_.sp), cx = word(regs_.cx),
             dx = word(regs_.dx), di = word(regs_.di), bp = word(regs_.bp), r10 = word(regs_.r10),
             r13 = word(regs_.r13), ax = word(regs_.ax);
  for (const auto* value : {&cs, &next_sp, &cx, &dx, &di, &bp, &r10, &r13, &ax}) {
    if (!*value) return state.End(StackEnd::kUnreadable, value->error().ToString(), sp);
  }
  if (!ip) return state.End(StackEnd::kUnreadable, ip.error().ToString(), sp);
  state.ip = *ip;
  state.sp = Kva(*next_sp);
  state.known = OrcRegisters{*cx, *dx, *di, *bp, *r10, *r13, *ax};
  TellEvent(sp, state);
  if ((*cs & 3) == 0) {
    // Interrupted right behind the return to the address that a kretprobe had put there.
    if (traced_.IsRethook(state.ip)) {
      state.ip = traced_.Before(state.sp - 8, state.task).value_or(state.ip);
    }
    return true;
  }
  state.result.sp = state.sp;
  return state.End(StackEnd::kUserMode, "", state.ip);
}

// All events of FRED enter by two addresses; what it was stands beside the kept ss.
void Unwinder::TellEvent(Kva regs, State& state) {
  Frame& frame = state.result.frames.back();
  if (!regs_.fred_type || !IsFredEntry(frame.code->place.symbol)) return;
  const auto type = ObjectReader(*kernel_, regs).Unsigned(*regs_.fred_type);
  if (type) frame.event = KindOfFredEvent(*type);
}

// What is known of the other registers stays so: code that interrupts before it has kept them has
// not changed them.
bool Unwinder::ReadPartialRegs(Kva sp, State& state) {
  if (!Enter(sp, kIretFrameSize, state)) return false;
  const auto ip = memory_.ReadAt<Kva>(sp.value());
  const auto cs = memory_.ReadAt<uint64_t>(sp.value() + kIretCs);
  const auto next_sp = memory_.ReadAt<Kva>(sp.value() + kIretSp);
  if (!ip || !cs || !next_sp) {
    const Error& error = !ip ? ip.error() : !cs ? cs.error() : next_sp.error();
    return state.End(StackEnd::kUnreadable, error.ToString(), sp);
  }
  state.ip = *ip;
  state.sp = *next_sp;
  if ((*cs & 3) == 0) return true;
  state.result.sp = state.sp;
  return state.End(StackEnd::kUserMode, "", state.ip);
}

bool Unwinder::FindBp(const OrcEntry& orc, Kva sp, State& state) {
  const auto offset = static_cast<uint64_t>(int64_t{orc.bp_offset});
  std::optional<uint64_t> bp;
  switch (orc.bp_reg) {
    case OrcRegister::kUndefined:
      if (state.known) state.bp = state.known->bp;
      return true;
    case OrcRegister::kPrevSp:
      bp = ReadWord(sp + offset, state);
      break;
    case OrcRegister::kBp:
      bp = ReadWord(Kva(state.bp) + offset, state);
      break;
    default:
      return state.End(StackEnd::kNoTable, "the ORC table counts from an unknown register",
                       state.ip);
  }
  if (!bp) return false;
  state.bp = *bp;
  return true;
}

}  // namespace ktstr
