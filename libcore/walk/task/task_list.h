// Which tasks there are: every thread of every process, and the idle tasks of the CPUs.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/members/task.h"
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
// it was given none. With `from_end` those that it takes are left to it.
class TasksFromEnd;
Status WalkEachTask(const Walk& walk, const std::function<void(const TaskRef&)>& visit,
                    TasksFromEnd* from_end = nullptr);

// One process of init_task.tasks, with its threads.
class ProcessWalker {
 public:
  // Members that the kernel lacks are anomalies.
  explicit ProcessWalker(const Walk& walk)
      : task_(walk), thread_head_(SignalMembers(walk).thread_head) {}

  bool has_members() const {
    return task_.tasks && task_.thread_node && task_.signal && thread_head_;
  }
  // Where the task stands on the list of processes; of init_task, the list's head.
  Kva ListOf(Kva task) const { return task + task_.tasks->offset; }
  // `visit` is given the leader, which stands at `node`, and its other threads. has_members().
  void Visit(Kva node, const Walk& walk, const std::function<void(const TaskRef&)>& visit) const;

 private:
  TaskListMembers task_;
  MaybeMember thread_head_;
};

}  // namespace ktstr
