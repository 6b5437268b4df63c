// Which tasks there are: every thread of every process, and the idle tasks of the CPUs.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct TaskRef {
  Kva task;                          // struct task_struct
  std::optional<uint32_t> idle_cpu;  // for an idle task: the CPU whose it is
};

// The idle tasks in order of their CPU, then leaders in the order of init_task.tasks, each followed
// by its other threads. Errors: those of reading symbols and types; damage in the lists is an
// anomaly.
Result<std::vector<TaskRef>> ListTasks(const Walk& walk);
// The same one by one: `visit` is given each in that order while its page is at hand. On an error
// it was given none.
Status WalkEachTask(const Walk& walk, const std::function<void(const TaskRef&)>& visit);

}  // namespace ktstr
