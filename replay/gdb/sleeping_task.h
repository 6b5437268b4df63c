// A task that no CPU runs, as registers: those that it was switched away with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "replay/gdb/registers.h"

namespace ktstr {

struct SleepingTask {
  int64_t pid = 0;
  std::string comm;
  // rip, rsp, rbp, rbx and r12 to r15; the others are not kept anywhere.
  GdbRegisterValues registers;
  // The page tables of its memory, for addresses of user space; nothing for a thread of the
  // kernel's.
  std::optional<Pa> user_tables;
};

// A thread, and the CPU (as the kernel counts) on which it is.
struct TaskOnCpu {
  Kva task;
  std::optional<int64_t> pid;
  std::string comm;
  uint32_t cpu = 0;
  // The CPU's registers: those that its kernel saved when it crashed, or else the vCPU's.
  bool crashed = false;
  uint32_t vcpu = 0;  // as the VMM counts
};

// Those that CPUs are at, of a kernel that crashed those that they were at then. What cannot be
// read is left out.
std::vector<TaskOnCpu> TasksOnCpus(const GuestKernel& kernel);

// The thread `pid`, above 0. It was switched away by __switch_to_asm
// (arch/x86/entry/entry_64.S), which left a struct inactive_task_frame
// (arch/x86/include/asm/switch_to.h) at the stack pointer that it kept in thread.sp. Errors:
// kNotFound (no such thread), kInvalidArgument (it is on a CPU), kUnreadable (its stack is gone, or
// not what it should be), and those of ListTasks.
Result<SleepingTask> FindSleepingTask(const GuestKernel& kernel, int64_t pid);
// All of them that can be read, in the order of ListTasks; idle tasks are none. Errors: those of
// ListTasks.
Result<std::vector<SleepingTask>> AllSleepingTasks(const GuestKernel& kernel);

struct TaskName {
  int64_t pid = 0;
  std::string comm;
};
// All threads but idle ones. Errors: those of ListTasks.
Result<std::vector<TaskName>> AllTaskNames(const GuestKernel& kernel);

}  // namespace ktstr
