#include "libcore/walk/task/task_list.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/task/tasks_from_end.h"

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

void ProcessWalker::Visit(Kva node, const Walk& walk,
                          const std::function<void(const TaskRef&)>& visit) const {
  const Kva leader = node - task_.tasks->offset;
  visit({leader, std::nullopt});
  CellReader object(walk, leader, "a process leader");
  const auto signal_kva = object.Pointer(task_.signal);
  if (!signal_kva || signal_kva->is_null()) return;
  WalkEachOfList(walk, *signal_kva + thread_head_->offset, "signal->thread_head",
                 [&](Kva thread_node) {
                   const Kva thread = thread_node - task_.thread_node->offset;
                   if (thread != leader) visit({thread, std::nullopt});
                 });
}

Status WalkEachTask(const Walk& walk, const std::function<void(const TaskRef&)>& visit_task,
                    TasksFromEnd* from_end) {
  const Kva init_task = KTSTR_TRY(walk.kernel.symbol_kva("init_task"));
  const ProcessWalker processes(walk);
  if (!processes.has_members()) {
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
  // Where the list is followed back from its end, its nodes are counted before one is visited.
  size_t counted = 0;
  size_t meter_left = walk.meter->left();
  WalkListWhile(walk, processes.ListOf(init_task), "init_task.tasks", [&](Kva node) {
    const size_t left = walk.limits.max_nodes - std::min(walk.limits.max_nodes, visited);
    counted += meter_left - walk.meter->left() - 1;
    if (from_end != nullptr && !from_end->Claim(node) && from_end->Take(node, left, counted)) {
      return false;
    }
    // One more than the leader.
    threads.limits.max_nodes = left - std::min<size_t>(left, 1);
    processes.Visit(node, threads, visit);
    meter_left = walk.meter->left();
    return true;
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
