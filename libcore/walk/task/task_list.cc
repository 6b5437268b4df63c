#include "libcore/walk/task/task_list.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

void VisitIdleTasks(const Walk& walk, const std::function<void(const TaskRef&)>& visit) {
  const MaybeMember idle = Fields(walk, kRqStruct).Need(rq_member::kIdle);
  for (const CpuRef& cpu : ListCpus(walk)) {
    CellReader rq(walk, cpu.rq, "a run queue");
    const auto task = rq.Pointer(idle);
    if (task && !task->is_null()) visit({*task, cpu.cpu});
  }
}

}  // namespace

Status WalkEachTask(const Walk& walk, const std::function<void(const TaskRef&)>& visit_task) {
  const Kva init_task = KTSTR_TRY(walk.kernel.symbol_kva("init_task"));
  const TaskListMembers task(walk);
  const MaybeMember thread_head = SignalMembers(walk).thread_head;
  if (!task.tasks || !task.thread_node || !task.signal || !thread_head) {
    return Fail(ErrorCode::kNotFound, walk.anomalies.rows().back().detail);
  }
  size_t visited = 0;
  const auto visit = [&](const TaskRef& ref) {
    ++visited;
    visit_task(ref);
  };
  VisitIdleTasks(walk, visit);
  // Told after what is wrong with the list of leaders.
  Anomalies of_leaders("");
  Walk threads = walk.NotingIn(of_leaders);
  WalkEachOfList(walk, init_task + task.tasks->offset, "init_task.tasks", [&](Kva node) {
    const Kva leader = node - task.tasks->offset;
    visit({leader, std::nullopt});
    CellReader object(threads, leader, "a process leader");
    const auto signal_kva = object.Pointer(task.signal);
    if (!signal_kva || signal_kva->is_null()) return;
    threads.limits.max_nodes = walk.limits.max_nodes - std::min(walk.limits.max_nodes, visited);
    WalkEachOfList(threads, *signal_kva + thread_head->offset, "signal->thread_head",
                   [&](Kva thread_node) {
                     const Kva thread = thread_node - task.thread_node->offset;
                     if (thread != leader) visit({thread, std::nullopt});
                   });
  });
  for (const AnomalyRow& anomaly : of_leaders.rows()) {
    const auto address =
        anomaly.address ? std::optional(Kva(anomaly.address->value)) : std::nullopt;
    walk.anomalies.Add(anomaly.kind, address, anomaly.detail);
  }
  return {};
}

Result<std::vector<TaskRef>> ListTasks(const Walk& walk) {
  std::vector<TaskRef> tasks;
  KTSTR_TRY(WalkEachTask(walk, [&tasks](const TaskRef& task) { tasks.push_back(task); }));
  return tasks;
}

}  // namespace ktstr
