// What each CPU of the kernel executes: which vCPU it is, and whose stack it is on. In the middle
// of a context switch the run queue, the per-CPU current task and the stack pointer may each name
// another task than the others; it is the stack that a CPU is on that its registers unwind.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/vcpu.h"
#include "libcore/walk/row/walk.h"
#include "libcore/walk/stack/stack_bounds.h"

namespace ktstr {

struct CpuContext {
  uint32_t cpu = 0;  // as the kernel counts
  std::optional<bool> online;
  // The registers, of a crashed kernel those that it saved; null for a CPU without any, or whose
  // vCPU is not in the kernel (waits to be started, or has not got to paging yet).
  const VcpuRegisters* vcpu = nullptr;
  // Whether the vCPU is there, but not in the kernel.
  bool stopped = false;
  std::vector<StackArea> stacks;  // the CPU's own
  std::optional<Kva> current;     // current_task
  std::optional<Kva> rq_curr;     // the run queue's
  std::optional<Kva> idle;
  // The task whose stack the CPU is on: one of the three above. Without registers: none.
  std::optional<Kva> owner;
};

// All possible CPUs in ascending order. `stack_size` as TaskStackSize. What cannot be read is an
// anomaly.
std::vector<CpuContext> ListCpuContexts(const Walk& walk, uint64_t stack_size);

}  // namespace ktstr
