// Whom a timer wakes or what it is for: known for the functions with which the kernel sleeps,
// delays work, and enforces the bandwidth of cgroups and deadline tasks.
#pragma once

#include <optional>

#include "ktstr/walk/cgroup_path.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/system/timer.h"
#include "ktstr/walk/system/workqueue_name.h"
#include "ktstr/walk/task_identity.h"
#include "ktstr/walk/text/text_symbols.h"

namespace ktstr {

class TimerOwners {
 public:
  TimerOwners(const Walk& walk, TextSymbols& text);

  // Fills in the task that the timer at `timer`, which calls `function`, is for, or the work or
  // cgroup.
  void Fill(Kva timer, Kva function, TimerRow& row);

 private:
  void FillSleeper(Kva object, const MaybeMember& task, TimerRow& row);
  void FillTask(Kva task, TimerRow& row);
  void FillWork(Kva delayed_work, TimerRow& row);
  void FillGroup(Kva task_group, TimerRow& row);
  void FillDeadline(Kva entity, TimerRow& row);

  Walk walk_;
  TextSymbols& text_;
  TaskIdentities identities_;
  WorkqueueNames workqueues_;
  CgroupPaths cgroups_;
  std::optional<Kva> hrtimer_wakeup_, process_timeout_, delayed_work_;
  std::optional<Kva> period_function_, slack_function_, deadline_function_;
  MaybeMember sleeper_timer_, sleeper_task_;
  MaybeMember process_timer_, process_task_;
  MaybeMember delayed_timer_, delayed_func_, delayed_wq_;
  MaybeMember period_timer_, slack_timer_, group_cgroup_;
  MaybeMember deadline_timer_, deadline_server_, task_deadline_;
};

}  // namespace ktstr
