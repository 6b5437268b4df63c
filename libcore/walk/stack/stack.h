// Stacks: what every task is in the middle of, down to user mode or the end of its stack. A task
// on a CPU is unwound from that CPU's registers, every other one from where it was switched away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

struct StackFrameRow {
  std::optional<int64_t> pid, cpu;
  int64_t depth = 0;
  std::string kind;
  std::optional<Hex> ip;
  std::optional<std::string> symbol;
  std::optional<int64_t> offset;
  std::optional<std::string> module;
  std::optional<std::string> stack;
  std::optional<Hex> sp;
  std::optional<std::string> reason;
  std::optional<std::string> detail;
  int64_t running = 0;
  Hex task_kva;

  static const RowTable<StackFrameRow>& Table();
  friend bool operator==(const StackFrameRow&, const StackFrameRow&) = default;
};

// The frames of all tasks, in the order of ListTasks, each task's innermost first and closed by a
// row of kind "end" that says how its stack ends. A stack that is not whole is an anomaly. Errors:
// those of ListTasks, and of reading ORC tables; a kernel that has none is unwound by frame
// pointers. Walks with so many threads; 0: with several where there are many tasks. What is given
// does not depend on it. Of a kernel that is not at rest, what a stack is unwound from is read just
// before, not when the tasks are listed: a task may have run since.
Result<Walked<StackFrameRow>> WalkStacks(const GuestKernel& kernel, const WalkLimits& limits = {},
                                         int threads = 0, bool at_rest = true);

// The same for the thread `pid`; 0 for all idle tasks. Errors: also kNotFound when there is no such
// thread.
Result<Walked<StackFrameRow>> WalkStackOf(const GuestKernel& kernel, int64_t pid,
                                          const WalkLimits& limits = {});

}  // namespace ktstr
