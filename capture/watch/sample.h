// What one look at a running guest gives: who runs where, how long the queues are, what sched_ext
// is doing. Nothing here stops the guest, so each part says whether it is whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

// The task that has been runnable for longest of those that wait (not run) on a CPU, or of those of
// them that one scheduler owns.
struct WaitingTask {
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  int64_t cpu = 0;
  int64_t runnable_at = 0;  // in jiffies
  std::optional<int64_t> waiting_ms;
  Kva owner = Kva();  // its struct scx_sched; null: the kernel has but one scheduler
  friend bool operator==(const WaitingTask&, const WaitingTask&) = default;
};

// Jiffies wrap: which of two is earlier is the sign of their difference.
inline void KeepOlder(const WaitingTask& task, std::optional<WaitingTask>& oldest) {
  if (!oldest || task.runnable_at - oldest->runnable_at < 0) oldest = task;
}

// One CPU's run queue. What could not be read is unknown.
struct CpuSample {
  int64_t cpu = 0;
  std::optional<bool> online;
  // What it runs; the class is "fair", "rt", "dl", "ext", "idle" or "stop".
  std::optional<int64_t> pid;
  std::optional<std::string> comm, task_class;
  // Tasks on its queues, the running one among them; the idle task is in none. `dl` leaves out the
  // servers, which are no tasks.
  std::optional<int64_t> nr_running, cfs, rt, dl, scx;
  std::optional<int64_t> local_dsq;  // tasks
  std::optional<int64_t> nr_switches;
  std::optional<double> switches_per_s;  // since the sample before
  std::optional<int64_t> clock_ns;
  std::optional<int64_t> clock_behind_ns;  // the newest run queue's clock
  std::optional<Hex> scx_flags;
  std::optional<std::string> scx_flag_names;
  bool torn = false;  // the numbers above are not of one moment

  std::optional<WaitingTask> oldest;         // nothing: nobody waits, or it is torn
  std::vector<WaitingTask> oldest_by_owner;  // one of each scheduler that has any
  bool oldest_torn = false;

  std::chrono::steady_clock::time_point read_at;
};

// A dispatch queue that is not a CPU's own.
struct DsqSample {
  std::string kind;  // "global", "user"
  std::optional<Hex> id;
  std::optional<int64_t> node;  // of a global one
  int64_t scheduler = 0;        // 0: the root one
  std::optional<int64_t> nr;    // tasks
  friend bool operator==(const DsqSample&, const DsqSample&) = default;
};

// One scheduler. Its number is its place among them: 0 is the root one.
struct SchedulerSample {
  std::optional<std::string> ops_name;
  std::optional<std::string> cgroup;  // of a sub-scheduler
  std::optional<int64_t> watchdog_timeout_ms;
  // Of its tasks, over all CPUs. How long that may still wait until the watchdog ends a scheduler.
  std::optional<WaitingTask> oldest;
  std::optional<int64_t> watchdog_margin_ms;
  Kva sched = Kva();  // its struct scx_sched; null up to 6.15
  friend bool operator==(const SchedulerSample&, const SchedulerSample&) = default;
};

struct ScxSample {
  std::optional<std::string> ops_name, enable_state;  // the name of the root scheduler
  std::optional<int64_t> watchdog_timeout_ms;         // its own
  // Over all CPUs and schedulers; the margin is the smallest of all schedulers.
  std::optional<WaitingTask> oldest;
  std::optional<int64_t> watchdog_margin_ms;
  std::vector<SchedulerSample> schedulers;
  bool oldest_torn = false;     // of some CPU it is not known who waits there
  std::vector<DsqSample> dsqs;  // also the empty ones
  bool torn = false;            // the scheduler or its queues changed meanwhile
};

struct WatchSample {
  std::string release;
  std::optional<int64_t> uptime_ns;
  std::optional<std::string> run_state;  // of the machine, as QEMU calls it: "running", "paused"
  std::vector<CpuSample> cpus;
  std::optional<ScxSample> scx;  // nothing: a kernel without sched_ext
};

// What people are told of a scheduler: its name, and of a sub-scheduler the cgroup, raw.
inline std::string NameOf(const SchedulerSample& scheduler) {
  const std::string name = scheduler.ops_name.value_or("?");
  return scheduler.cgroup ? name + " of cgroup " + *scheduler.cgroup : name;
}

}  // namespace ktstr
