// Finds one task by its PID, as the kernel itself would: through the lists, not through a hash.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libcore/image/type_info.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/op_error.h"

namespace ktstr {

// How many tasks one search visits at most, leaders and threads together: a list that runs in
// circles must end somewhere.
inline constexpr size_t kMaxTaskNodes = 65536;

// What a search needs to know of the kernel.
struct TaskListLayout {
  Kva init_task;
  Member pid;                                       // of struct task_struct
  uint64_t tasks = 0, signal = 0, thread_node = 0;  // offsets in it
  uint64_t thread_head = 0;                         // in struct signal_struct

  // Errors: kTypesUnavailable, kTypeUnknown, kFieldUnknown, kSymbolUnknown.
  static OpResult<TaskListLayout> Of(const GuestKernel& kernel);
};

// The task_struct of the thread with that PID: leaders along init_task.tasks (for_each_process),
// after each its other threads along signal->thread_head (for_each_thread,
// include/linux/sched/signal.h). init_task is never the answer. A thread that cannot be read is
// passed over; a leader that cannot be read ends the search.
// Errors: kTaskListEmpty, kTaskListBroken, kTaskWalkCap, kTaskUnmapped, kTaskIsInit, kTaskNotFound.
OpResult<Kva> FindTask(const GuestKernel& kernel, const TaskListLayout& layout, uint32_t pid);

}  // namespace ktstr
