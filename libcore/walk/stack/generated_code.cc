#include "libcore/walk/stack/generated_code.h"

#include <algorithm>
#include <array>

namespace ktstr {

// A program's code (emit_prologue() and do_jit() in arch/x86/net/bpf_jit_comp.c) and a trampoline's
// begin with "push %rbp; mov %rsp,%rbp", behind a few bytes at most, and end in "leave" and a
// return. That gives four kinds of places. Up to the push, the return address is the top word of
// the stack. Behind the push, it is the second one. From the mov to the leave, it lies above the
// word to which the frame pointer points. Behind the leave, it is the top word again.

namespace {

// push %rbp; mov %rsp,%rbp. Before them stand at most endbr64, a five-byte nop or call for
// trampolines, and what counts tail calls.
constexpr std::array kPrologue = {std::byte{0x55}, std::byte{0x48}, std::byte{0x89},
                                  std::byte{0xe5}};
constexpr std::byte kLeave{0xc9}, kReturn{0xc3}, kJump{0xe9}, kBreakpoint{0xcc};

OrcEntry Call(OrcRegister from, int16_t offset, OrcRegister bp, int16_t bp_offset) {
  return {offset, bp_offset, from, bp, OrcType::kCall, false};
}

}  // namespace

std::optional<OrcEntry> UnwindGeneratedCode(std::span<const std::byte> head,
                                            std::array<std::byte, 2> around, uint64_t offset,
                                            bool exact, std::string_view name) {
  const OrcEntry at_entry = Call(OrcRegister::kSp, 8, OrcRegister::kUndefined, 0);
  const OrcEntry pushed = Call(OrcRegister::kSp, 16, OrcRegister::kPrevSp, -16);
  const OrcEntry framed = Call(OrcRegister::kBp, 16, OrcRegister::kPrevSp, -16);
  // Dispatchers compare and jump.
  if (name.starts_with("bpf_dispatcher_")) return at_entry;
  const auto push = std::search(head.begin(), head.end(), kPrologue.begin(), kPrologue.end());
  if (push == head.end()) return std::nullopt;
  if (!exact) return framed;
  const auto push_at = static_cast<uint64_t>(push - head.begin());
  if (offset <= push_at) return at_entry;
  if (offset == push_at + 1) return pushed;
  // Behind `leave` there is a return, or a jump to the return thunk.
  const bool returns = around[1] == kReturn || around[1] == kJump || around[1] == kBreakpoint;
  if (around[0] == kLeave && returns && offset > push_at + kPrologue.size()) return at_entry;
  return framed;
}

}  // namespace ktstr
