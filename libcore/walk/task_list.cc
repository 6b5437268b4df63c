#include "ktstr/walk/task_list.h"

#include <fmt/format.h>

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {

void AddIdleTasks(const GuestKernel& kernel, const TypeInfo& types, std::vector<TaskRef>& tasks,
                  Anomalies& anomalies) {
  Fields rq_fields(types, "rq", anomalies);
  const MaybeMember idle = rq_fields.Need("idle");
  for (const CpuRef& cpu : ListCpus(kernel, anomalies)) {
    CellReader rq(kernel, cpu.rq, "a run queue", anomalies);
    const auto task = rq.Pointer(idle);
    if (task && !task->is_null()) tasks.push_back({*task, cpu.cpu});
  }
}

}  // namespace

Result<std::vector<TaskRef>> ListTasks(const GuestKernel& kernel, const WalkLimits& limits,
                                       Anomalies& anomalies) {
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  const Kva init_task = KTSTR_TRY(kernel.symbol_kva("init_task"));
  const Member tasks_node = KTSTR_TRY(types.FindMember("task_struct", "tasks"));
  const Member thread_node = KTSTR_TRY(types.FindMember("task_struct", "thread_node"));
  const Member signal = KTSTR_TRY(types.FindMember("task_struct", "signal"));
  const Member thread_head = KTSTR_TRY(types.FindMember("signal_struct", "thread_head"));

  std::vector<TaskRef> tasks;
  AddIdleTasks(kernel, types, tasks, anomalies);
  WalkLimits left = limits;
  for (const Kva node :
       WalkList(kernel, init_task + tasks_node.offset, limits, "init_task.tasks", anomalies)) {
    const Kva leader = node - tasks_node.offset;
    tasks.push_back({leader, std::nullopt});
    CellReader object(kernel, leader, "a process leader", anomalies);
    const auto signal_kva = object.Pointer(signal);
    if (!signal_kva || signal_kva->is_null()) continue;
    left.max_nodes = limits.max_nodes - std::min(limits.max_nodes, tasks.size());
    for (const Kva thread : WalkList(kernel, *signal_kva + thread_head.offset, left,
                                     "signal->thread_head", anomalies)) {
      if (thread - thread_node.offset != leader)
        tasks.push_back({thread - thread_node.offset, std::nullopt});
    }
  }
  return tasks;
}

}  // namespace ktstr
