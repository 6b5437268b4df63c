// Whom a timer wakes or what it is for: known for the functions with which the kernel sleeps,
// delays work, and enforces the bandwidth of cgroups and deadline tasks.
#pragma once

#include <optional>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/system/cgroup_path.h"
#include "libcore/walk/system/timer.h"
#include "libcore/walk/system/workqueue_name.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

struct SleeperMembers : Fields {
  explicit SleeperMembers(const Walk& walk) : Fields(walk, "hrtimer_sleeper") {}
  MaybeMember timer = Maybe("timer"), task = Maybe("task");
};

struct ProcessTimerMembers : Fields {
  explicit ProcessTimerMembers(const Walk& walk) : Fields(walk, "process_timer") {}
  MaybeMember timer = Maybe("timer"), task = Maybe("task");
};

struct DelayedWorkMembers : Fields {
  explicit DelayedWorkMembers(const Walk& walk) : Fields(walk, "delayed_work") {}
  MaybeMember timer = Maybe("timer"), func = Maybe("work.func"), wq = Maybe("wq");
};

struct BandwidthMembers : Fields {
  explicit BandwidthMembers(const Walk& walk) : Fields(walk, "task_group") {}
  MaybeMember period_timer = Maybe("cfs_bandwidth.period_timer"),
              slack_timer = Maybe("cfs_bandwidth.slack_timer"), cgroup = Maybe("css.cgroup");
};

struct DeadlineMembers : Fields {
  explicit DeadlineMembers(const Walk& walk) : Fields(walk, "sched_dl_entity") {}
  MaybeMember timer = Maybe("dl_timer"), server = Maybe("dl_server");
};

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
  SleeperMembers sleeper_{walk_};
  ProcessTimerMembers process_{walk_};
  DelayedWorkMembers delayed_{walk_};
  BandwidthMembers group_{walk_};
  DeadlineMembers deadline_{walk_};
  MaybeMember task_dl_ = Fields(walk_, kTaskStruct).Maybe(task_member::kDeadlineEntity);
  TextSymbols& text_;
  TaskIdentities identities_;
  WorkqueueNames workqueues_;
  CgroupPaths cgroups_;
  std::optional<Kva> hrtimer_wakeup_, process_timeout_, delayed_work_;
  std::optional<Kva> period_function_, slack_function_, deadline_function_;
};

}  // namespace ktstr
