#include "ktstr/walk/system/timer_owner.h"

#include "ktstr/walk/globals.h"
#include "ktstr/walk/system/function_name.h"

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
  Fields sleeper(walk, "hrtimer_sleeper");
  sleeper_timer_ = sleeper.Maybe("timer");
  sleeper_task_ = sleeper.Maybe("task");
  Fields process(walk, "process_timer");
  process_timer_ = process.Maybe("timer");
  process_task_ = process.Maybe("task");
  Fields delayed(walk, "delayed_work");
  delayed_timer_ = delayed.Maybe("timer");
  delayed_func_ = delayed.Maybe("work.func");
  delayed_wq_ = delayed.Maybe("wq");
  Fields group(walk, "task_group");
  period_timer_ = group.Maybe("cfs_bandwidth.period_timer");
  slack_timer_ = group.Maybe("cfs_bandwidth.slack_timer");
  group_cgroup_ = group.Maybe("css.cgroup");
  Fields deadline(walk, "sched_dl_entity");
  deadline_timer_ = deadline.Maybe("dl_timer");
  deadline_server_ = deadline.Maybe("dl_server");
  task_deadline_ = Fields(walk, "task_struct").Maybe("dl");
}

void TimerOwners::Fill(Kva timer, Kva function, TimerRow& row) {
  if (function == hrtimer_wakeup_ && sleeper_timer_) {
    FillSleeper(timer - sleeper_timer_->offset, sleeper_task_, row);
  } else if (function == process_timeout_ && process_timer_) {
    FillSleeper(timer - process_timer_->offset, process_task_, row);
  } else if (function == delayed_work_ && delayed_timer_) {
    FillWork(timer - delayed_timer_->offset, row);
  } else if (function == period_function_ && period_timer_) {
    FillGroup(timer - period_timer_->offset, row);
  } else if (function == slack_function_ && slack_timer_) {
    FillGroup(timer - slack_timer_->offset, row);
  } else if (function == deadline_function_ && deadline_timer_) {
    FillDeadline(timer - deadline_timer_->offset, row);
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
  const auto function = work.Pointer(delayed_func_);
  if (!function) return;
  row.detail = FunctionName(text_, *function);
  const auto queue = work.Pointer(delayed_wq_);
  const auto name = queue ? workqueues_.NameOf(*queue) : std::nullopt;
  if (row.detail && name) *row.detail += " on " + *name;
}

void TimerOwners::FillGroup(Kva task_group, TimerRow& row) {
  CellReader group(walk_, task_group, "a task group");
  const auto cgroup = group.Pointer(group_cgroup_);
  const auto path = cgroup && !cgroup->is_null() ? cgroups_.PathOf(*cgroup) : std::nullopt;
  if (path) row.detail = "cgroup " + *path;
}

void TimerOwners::FillDeadline(Kva entity, TimerRow& row) {
  CellReader deadline(walk_, entity, "a deadline entity");
  const auto server = deadline.Integer(deadline_server_);
  if (deadline_server_ && !server) return;
  // A server runs the tasks of another class in its name (6.8 on); it is no task.
  if (server.value_or(0) != 0) {
    row.detail = "deadline server";
  } else if (task_deadline_) {
    FillTask(entity - task_deadline_->offset, row);
  }
}

}  // namespace ktstr
