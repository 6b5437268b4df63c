#include "libcore/walk/system/timer_owner.h"

#include "libcore/walk/row/globals.h"
#include "libcore/walk/system/function_name.h"

namespace ktstr {

TimerOwners::TimerOwners(const Walk& walk, TextSymbols& text)
    : walk_(walk), text_(text), identities_(walk), workqueues_(walk), cgroups_(walk) {
  const Globals globals(walk);
  hrtimer_wakeup_ = globals.Address({"hrtimer_wakeup"});
  process_timeout_ = globals.Address({"process_timeout"});
  delayed_work_ = globals.Address({"delayed_work_timer_fn"});
  period_function_ = globals.Address({"sched_cfs_period_timer"});
  slack_function_ = globals.Address({"sched_cfs_slack_timer"});
  deadline_function_ = globals.Address({"dl_task_timer"});
}

void TimerOwners::Fill(Kva timer, Kva function, TimerRow& row) {
  if (function == hrtimer_wakeup_ && sleeper_.timer) {
    FillSleeper(timer - sleeper_.timer->offset, sleeper_.task, row);
  } else if (function == process_timeout_ && process_.timer) {
    FillSleeper(timer - process_.timer->offset, process_.task, row);
  } else if (function == delayed_work_ && delayed_.timer) {
    FillWork(timer - delayed_.timer->offset, row);
  } else if (function == period_function_ && group_.period_timer) {
    FillGroup(timer - group_.period_timer->offset, row);
  } else if (function == slack_function_ && group_.slack_timer) {
    FillGroup(timer - group_.slack_timer->offset, row);
  } else if (function == deadline_function_ && deadline_.timer) {
    FillDeadline(timer - deadline_.timer->offset, row);
  }
}

void TimerOwners::FillSleeper(Kva object, const MaybeMember& member, TimerRow& row) {
  const auto task = CellReader(walk_, object, "a sleeper's timer").Pointer(member);
  // The sleeper was woken already.
  if (task && !task->is_null()) FillTask(*task, row);
}

void TimerOwners::FillTask(Kva task, TimerRow& row) {
  row.task_kva = Hex(task);
  TaskIdentity identity = identities_.Of(task);
  row.pid = identity.pid;
  row.comm = std::move(identity.comm);
}

void TimerOwners::FillWork(Kva delayed_work, TimerRow& row) {
  CellReader work(walk_, delayed_work, "a delayed work item");
  const auto function = work.Pointer(delayed_.func);
  if (!function) return;
  row.detail = FunctionName(text_, *function);
  const auto queue = work.Pointer(delayed_.wq);
  const auto name = queue ? workqueues_.NameOf(*queue) : std::nullopt;
  if (row.detail && name) *row.detail += " on " + *name;
}

void TimerOwners::FillGroup(Kva task_group, TimerRow& row) {
  CellReader group(walk_, task_group, "a task group");
  const auto cgroup = group.Pointer(group_.cgroup);
  const auto path = cgroup && !cgroup->is_null() ? cgroups_.PathOf(*cgroup) : std::nullopt;
  if (path) row.detail = "cgroup " + *path;
}

void TimerOwners::FillDeadline(Kva entity, TimerRow& row) {
  CellReader deadline(walk_, entity, "a deadline entity");
  const auto server = deadline.Integer(deadline_.server);
  if (deadline_.server && !server) return;
  // A server runs the tasks of another class in its name (6.8 on); it is no task.
  if (server.value_or(0) != 0) {
    row.detail = "deadline server";
  } else if (task_dl_) {
    FillTask(entity - task_dl_->offset, row);
  }
}

}  // namespace ktstr
