// What a run queue says beyond who is on it: load and capacity, the tick, schedstats, and what
// sched_ext keeps there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/cpu_mask_var.h"
#include "ktstr/walk/enum_text.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/row.h"

namespace ktstr {

// kernel/sched/pelt.h; 1024 is the capacity of the largest CPU.
struct CpuLoad {
  std::optional<int64_t> load_avg, runnable_avg, util_avg, capacity, nr_uninterruptible, nr_iowait;
  friend bool operator==(const CpuLoad&, const CpuLoad&) = default;
};

// struct tick_sched (kernel/time/tick-sched.h) and the run queue's nohz_flags.
struct CpuTick {
  std::optional<int64_t> stopped, in_idle;
  std::optional<int64_t> idle_calls, idle_sleeps, idle_entry_ns;
  std::optional<Hex> nohz_flags;
  friend bool operator==(const CpuTick&, const CpuTick&) = default;
};

// CONFIG_SCHEDSTATS and CONFIG_SCHED_INFO: /proc/schedstat.
struct CpuSchedstat {
  std::optional<int64_t> yields, schedules, idle_schedules, wakeups, local_wakeups;
  std::optional<int64_t> run_ns, wait_ns, timeslices;
  friend bool operator==(const CpuSchedstat&, const CpuSchedstat&) = default;
};

// struct scx_rq (kernel/sched/sched.h).
struct CpuScx {
  std::optional<std::string> flag_names;
  std::optional<std::string> to_kick, to_kick_if_idle, to_preempt, to_wait;
  std::optional<int64_t> released, pnt_seq, cpuperf_target;
  friend bool operator==(const CpuScx&, const CpuScx&) = default;
};

class CpuDetails {
 public:
  explicit CpuDetails(const Walk& walk);

  CpuLoad Load(CellReader& rq) const;
  CpuTick Tick(CellReader& rq, uint32_t cpu) const;
  CpuSchedstat Schedstat(CellReader& rq) const;
  CpuScx Scx(CellReader& rq) const;

 private:
  Walk walk_;
  CpuMaskVars masks_;
  bool counts_events_;  // the static key of schedstats
  MaybeMember load_avg_, runnable_avg_, util_avg_, capacity_, nr_uninterruptible_, nr_iowait_;
  MaybeMember nohz_flags_, tick_flags_, tick_stopped_, in_idle_, idle_calls_, idle_sleeps_,
      idle_entry_;
  MaybeMember yields_, schedules_, idle_schedules_, wakeups_, local_wakeups_, run_time_, wait_time_,
      timeslices_;
  MaybeMember scx_flags_, to_kick_, to_kick_if_idle_, to_preempt_, to_wait_, released_, pnt_seq_,
      cpuperf_target_;
  EnumText scx_flag_names_;
};

}  // namespace ktstr
