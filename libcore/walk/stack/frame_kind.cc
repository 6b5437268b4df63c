#include "libcore/walk/stack/frame_kind.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace ktstr {

namespace {

bool StartsWithOneOf(std::string_view name, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

std::string_view FrameKindName(FrameKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"call",    "interrupt", "exception",
                                                      "syscall", "entry",     "bpf"};
  return kNames[static_cast<size_t>(kind)];
}

// entry_64.S, idtentry.h.
bool IsSyscallEntry(std::string_view symbol) {
  return StartsWithOneOf(symbol, {"entry_SYSCALL_", "entry_SYSRET", "syscall_return_via_sysret"});
}

// entry_64_fred.S.
bool IsFredEntry(std::string_view symbol) {
  return StartsWithOneOf(symbol, {"asm_fred_entrypoint_", "asm_fred_entry_from_kvm"});
}

FrameKind KindOfFredEvent(uint64_t type) {
  switch (type) {
    case 0:  // external interrupt
    case 2:  // NMI
      return FrameKind::kInterrupt;
    case 3:  // hardware exception
    case 5:  // INT1
    case 6:  // INT3, INTO
      return FrameKind::kException;
    case 4:  // INT n: the 32-bit system call
    case 7:  // SYSCALL, SYSENTER
      return FrameKind::kSyscall;
    default:
      return FrameKind::kEntry;
  }
}

FrameKind KindOfRegsFrame(std::string_view symbol) {
  if (StartsWithOneOf(symbol,
                      {"asm_exc_nmi", "first_nmi", "repeat_nmi", "end_repeat_nmi", "nmi_restore",
                       "asm_sysvec_", "asm_common_interrupt", "asm_spurious_interrupt",
                       "irq_entries_start", "spurious_entries_start"})) {
    return FrameKind::kInterrupt;
  }
  if (symbol.starts_with("asm_exc_")) return FrameKind::kException;
  if (IsSyscallEntry(symbol) || StartsWithOneOf(symbol, {"entry_SYSENTER_", "entry_INT80_",
                                                         "asm_int80_", "int80_emulation"})) {
    return FrameKind::kSyscall;
  }
  return FrameKind::kEntry;
}

}  // namespace ktstr
