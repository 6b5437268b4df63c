#include "ktstr/walk/task_list.h"

#include <fmt/format.h>

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {

void AddIdleTasks(const Walk& walk, std::vector<TaskRef>& tasks) {
  Fields rq_fields(walk, "rq");
  const MaybeMember idle = rq_fields.Need("idle");
  for (const CpuRef& cpu : ListCpus(walk)) {
    CellReader rq(walk, cpu.rq, "a run queue");
    const auto task = rq.Pointer(idle);
    if (task && !task->is_null()) tasks.push_back({*task, cpu.cpu});
  }
}

}  // namespace

Result<std::vector<TaskRef>> ListTasks(const Walk& walk) {
  const Kva init_task = KTSTR_TRY(walk.kernel.symbol_kva("init_task"));
  const Member tasks_node = KTSTR_TRY(walk.types.FindMember("task_struct", "tasks"));
  const Member thread_node = KTSTR_TRY(walk.types.FindMember("task_struct", "thread_node"));
  const Member signal = KTSTR_TRY(walk.types.FindMember("task_struct", "signal"));
  const Member thread_head = KTSTR_TRY(walk.types.FindMember("signal_struct", "thread_head"));

  std::vector<TaskRef> tasks;
  AddIdleTasks(walk, tasks);
  WalkLimits left = walk.limits;
  for (const Kva node : WalkList(walk, init_task + tasks_node.offset, "init_task.tasks")) {
    const Kva leader = node - tasks_node.offset;
    tasks.push_back({leader, std::nullopt});
    CellReader object(walk, leader, "a process leader");
    const auto signal_kva = object.Pointer(signal);
    if (!signal_kva || signal_kva->is_null()) continue;
    left.max_nodes = walk.limits.max_nodes - std::min(walk.limits.max_nodes, tasks.size());
    for (const Kva thread :
         WalkList(walk.Within(left), *signal_kva + thread_head.offset, "signal->thread_head")) {
      if (thread - thread_node.offset != leader)
        tasks.push_back({thread - thread_node.offset, std::nullopt});
    }
  }
  return tasks;
}

}  // namespace ktstr
