#include "libcore/walk/task/task_list.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

void AddIdleTasks(const Walk& walk, std::vector<TaskRef>& tasks) {
  const MaybeMember idle = Fields(walk, kRqStruct).Need(rq_member::kIdle);
  for (const CpuRef& cpu : ListCpus(walk)) {
    CellReader rq(walk, cpu.rq, "a run queue");
    const auto task = rq.Pointer(idle);
    if (task && !task->is_null()) tasks.push_back({*task, cpu.cpu});
  }
}

}  // namespace

Result<std::vector<TaskRef>> ListTasks(const Walk& walk) {
  const Kva init_task = KTSTR_TRY(walk.kernel.symbol_kva("init_task"));
  const TaskListMembers task(walk);
  const MaybeMember thread_head = SignalMembers(walk).thread_head;
  if (!task.tasks || !task.thread_node || !task.signal || !thread_head) {
    return Fail(ErrorCode::kNotFound, walk.anomalies.rows().back().detail);
  }
  std::vector<TaskRef> tasks;
  AddIdleTasks(walk, tasks);
  WalkLimits left = walk.limits;
  for (const Kva node : WalkList(walk, init_task + task.tasks->offset, "init_task.tasks")) {
    const Kva leader = node - task.tasks->offset;
    tasks.push_back({leader, std::nullopt});
    CellReader object(walk, leader, "a process leader");
    const auto signal_kva = object.Pointer(task.signal);
    if (!signal_kva || signal_kva->is_null()) continue;
    left.max_nodes = walk.limits.max_nodes - std::min(walk.limits.max_nodes, tasks.size());
    for (const Kva thread :
         WalkList(walk.Within(left), *signal_kva + thread_head->offset, "signal->thread_head")) {
      if (thread - task.thread_node->offset != leader)
        tasks.push_back({thread - task.thread_node->offset, std::nullopt});
    }
  }
  return tasks;
}

}  // namespace ktstr
