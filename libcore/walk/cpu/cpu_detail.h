// What a run queue says beyond who is on it: load and capacity, the tick, schedstats, and what
// sched_ext keeps there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/row_reader.h"

namespace ktstr {

// kernel/sched/pelt.h; 1024 is the capacity of the largest CPU.
struct CpuLoad {
  std::optional<int64_t> load_avg, runnable_avg, util_avg, capacity, nr_uninterruptible, nr_iowait;
  friend bool operator==(const CpuLoad&, const CpuLoad&) = default;
};

// What gives a class its share of the CPU when those above it would not: struct sched_dl_entity
// (include/linux/sched.h).
struct CpuServer {
  std::optional<int64_t> runtime_ns, period_ns, left_ns, active;
  friend bool operator==(const CpuServer&, const CpuServer&) = default;
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
  std::optional<int64_t> yld_count, sched_count, sched_goidle, ttwu_count, ttwu_local;
  std::optional<int64_t> rq_cpu_time_ns, run_delay_ns, pcount;
  friend bool operator==(const CpuSchedstat&, const CpuSchedstat&) = default;
};

// struct scx_rq (kernel/sched/sched.h).
struct CpuScx {
  std::optional<std::string> flag_names;
  std::optional<std::string> to_kick, to_kick_if_idle, to_preempt, to_wait, to_sync;
  std::optional<int64_t> cpu_released, pnt_seq, cpuperf_target, ops_qseq;
  friend bool operator==(const CpuScx&, const CpuScx&) = default;
};

struct CpuRow;  // cpu.h

struct TickMembers : Fields {
  explicit TickMembers(const Walk& walk) : Fields(walk, "tick_sched") {}
  MaybeMember flags = Maybe("flags"), stopped = Maybe("tick_stopped"), in_idle = Maybe("inidle");
};

struct RqEventMembers : Fields {
  explicit RqEventMembers(const Walk& walk) : Fields(walk, kRqStruct) {}
  MaybeMember yld_count = Maybe("yld_count"), sched_count = Maybe("sched_count"),
              sched_goidle = Maybe("sched_goidle"), ttwu_count = Maybe("ttwu_count"),
              ttwu_local = Maybe("ttwu_local");
};

struct ScxKickMembers : Fields {
  explicit ScxKickMembers(const Walk& walk) : Fields(walk, kScxRqStruct) {}
  MaybeMember flags = Maybe(rq_member::kScxFlags), to_kick = Maybe("cpus_to_kick"),
              to_kick_if_idle = Maybe("cpus_to_kick_if_idle"),
              to_preempt = Maybe("cpus_to_preempt"), to_wait = Maybe("cpus_to_wait"),
              to_sync = Maybe("cpus_to_sync");  // 7.1 on
};

// Fills those of these columns that are no copies of the run queue's members.
class CpuDetails {
 public:
  explicit CpuDetails(const Walk& walk);

  void FillTick(uint32_t cpu, CpuRow& row) const;
  void FillSchedstat(CellReader& rq, CpuSchedstat& stat) const;
  void FillScx(CellReader& rq, uint32_t cpu, CpuScx& scx) const;

 private:
  // What each scheduler keeps of a CPU (struct scx_sched_pcpu); none before 6.18.
  std::vector<Kva> OfSchedulers(uint32_t cpu) const;

  Walk walk_;
  CpuMaskVars masks_;
  bool counts_events_;  // the static key of schedstats
  TickMembers tick_{walk_};
  RowReader<CpuRow> tick_columns_;
  RqEventMembers events_{walk_};
  ScxKickMembers scx_{walk_};
  ScxSchedPcpuMembers sched_pcpu_{walk_};
  std::vector<Kva> pcpus_;  // per-CPU pointers of all schedulers
  EnumText scx_flag_names_;
};

}  // namespace ktstr
