// Which stacks there are on x86-64: a task's own, and those of each CPU for interrupts, exceptions
// and the way in from user mode (arch/x86/include/asm/stacktrace.h, cpu_entry_area.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

enum class StackKind : uint8_t {
  kTask,
  kIrq,    // interrupts, and softirqs that run on the same stack
  kEntry,  // entry trampoline: where exceptions from user mode begin, and page-table isolation ends
  kDoubleFault,
  kNmi,
  kDebug,
  kMachineCheck,
  kVc,  // VMM communication exceptions (SEV)
  kVcFallback,
};

// As shown to people: "task", "irq", "entry", "DF", "NMI", "DB", "MC", "VC", "VC2".
std::string_view StackKindName(StackKind kind);

struct StackArea {
  StackKind kind = StackKind::kTask;
  Kva begin, end;

  bool Contains(Kva kva, uint64_t size) const {
    return begin <= kva && kva < end && size <= end - kva;
  }
  // Whether a stack pointer can have that value; that of an empty stack is the end.
  bool HoldsPointer(Kva sp) const { return begin <= sp && sp <= end; }
};

// THREAD_SIZE, in bytes: of init_task's stack, or of an interrupt stack, which has the same size
// (page_64_types.h). Errors: kNotFound.
Result<uint64_t> TaskStackSize(const GuestKernel& kernel);

// The stacks of one CPU other than its tasks'; a CPU that never came up has fewer. What a kernel
// does not have is left out, what cannot be read is an anomaly.
std::vector<StackArea> CpuStacks(const Walk& walk, uint32_t cpu);

}  // namespace ktstr
