#include "ktstr/walk/cpu_detail.h"

namespace ktstr {

namespace {

// TS_FLAG_INIDLE and TS_FLAG_STOPPED in kernel/time/tick-sched.h, from 6.9 on (a478ffb2ae23);
// before that each is a bit field of its own.
constexpr uint64_t kTickInIdle = 1, kTickStopped = 2;

std::optional<int64_t> Bit(std::optional<uint64_t> flags, uint64_t bit) {
  if (!flags) return std::nullopt;
  return (*flags & bit) != 0 ? 1 : 0;
}

}  // namespace

CpuDetails::CpuDetails(const Walk& walk)
    : walk_(walk),
      masks_(walk),
      counts_events_(walk.kernel.ReadSymbol<int32_t>("sched_schedstats").value_or(0) != 0),
      scx_flag_names_(walk.types, {"scx_rq_flags"}, "SCX_RQ_") {
  Fields rq(walk, "rq");
  load_avg_ = rq.Maybe("cfs.avg.load_avg");
  runnable_avg_ = rq.Maybe("cfs.avg.runnable_avg");
  util_avg_ = rq.Maybe("cfs.avg.util_avg");
  capacity_ = rq.Maybe("cpu_capacity");
  nr_uninterruptible_ = rq.Maybe("nr_uninterruptible");
  nr_iowait_ = rq.Maybe("nr_iowait.counter");
  nohz_flags_ = rq.Maybe("nohz_flags.counter");
  yields_ = rq.Maybe("yld_count");
  schedules_ = rq.Maybe("sched_count");
  idle_schedules_ = rq.Maybe("sched_goidle");
  wakeups_ = rq.Maybe("ttwu_count");
  local_wakeups_ = rq.Maybe("ttwu_local");
  run_time_ = rq.Maybe("rq_cpu_time");
  wait_time_ = rq.Maybe("rq_sched_info.run_delay");
  timeslices_ = rq.Maybe("rq_sched_info.pcount");
  scx_flags_ = rq.Maybe("scx.flags");
  to_kick_ = rq.Maybe("scx.cpus_to_kick");
  to_kick_if_idle_ = rq.Maybe("scx.cpus_to_kick_if_idle");
  to_preempt_ = rq.Maybe("scx.cpus_to_preempt");
  to_wait_ = rq.Maybe("scx.cpus_to_wait");
  released_ = rq.Maybe("scx.cpu_released");
  pnt_seq_ = rq.Maybe("scx.pnt_seq", "scx.kick_sync");
  cpuperf_target_ = rq.Maybe("scx.cpuperf_target");
  Fields tick(walk, "tick_sched");
  tick_flags_ = tick.Maybe("flags");
  tick_stopped_ = tick.Maybe("tick_stopped");
  in_idle_ = tick.Maybe("inidle");
  idle_calls_ = tick.Maybe("idle_calls");
  idle_sleeps_ = tick.Maybe("idle_sleeps");
  idle_entry_ = tick.Maybe("idle_entrytime");
}

CpuLoad CpuDetails::Load(CellReader& rq) const {
  CpuLoad load;
  load.load_avg = rq.Integer(load_avg_);
  load.runnable_avg = rq.Integer(runnable_avg_);
  load.util_avg = rq.Integer(util_avg_);
  load.capacity = rq.Integer(capacity_);
  load.nr_uninterruptible = rq.Integer(nr_uninterruptible_);
  load.nr_iowait = rq.Integer(nr_iowait_);
  return load;
}

CpuTick CpuDetails::Tick(CellReader& rq, uint32_t cpu) const {
  CpuTick row;
  row.nohz_flags = rq.HexOf(nohz_flags_);
  const auto symbol = walk_.kernel.symbol_kva("tick_cpu_sched");
  if (!symbol) return row;
  const auto at = walk_.kernel.PerCpu(*symbol, cpu);
  if (!at) {
    walk_.anomalies.Add(at.error(), *symbol, "finding a CPU's tick");
    return row;
  }
  CellReader tick(walk_, *at, "a CPU's tick");
  const auto flags = tick.Unsigned(tick_flags_);
  row.stopped = tick_stopped_ ? tick.Integer(tick_stopped_) : Bit(flags, kTickStopped);
  row.in_idle = in_idle_ ? tick.Integer(in_idle_) : Bit(flags, kTickInIdle);
  row.idle_calls = tick.Integer(idle_calls_);
  row.idle_sleeps = tick.Integer(idle_sleeps_);
  row.idle_entry_ns = tick.Integer(idle_entry_);
  return row;
}

CpuSchedstat CpuDetails::Schedstat(CellReader& rq) const {
  CpuSchedstat stat;
  // Counted only while kernel.sched_schedstats is on.
  if (counts_events_) {
    stat.yields = rq.Integer(yields_);
    stat.schedules = rq.Integer(schedules_);
    stat.idle_schedules = rq.Integer(idle_schedules_);
    stat.wakeups = rq.Integer(wakeups_);
    stat.local_wakeups = rq.Integer(local_wakeups_);
  }
  stat.run_ns = rq.Integer(run_time_);
  stat.wait_ns = rq.Integer(wait_time_);
  stat.timeslices = rq.Integer(timeslices_);
  return stat;
}

CpuScx CpuDetails::Scx(CellReader& rq) const {
  CpuScx scx;
  if (const auto flags = rq.Unsigned(scx_flags_)) scx.flag_names = scx_flag_names_.FlagsOf(*flags);
  scx.to_kick = masks_.ListOf(rq, to_kick_);
  scx.to_kick_if_idle = masks_.ListOf(rq, to_kick_if_idle_);
  scx.to_preempt = masks_.ListOf(rq, to_preempt_);
  scx.to_wait = masks_.ListOf(rq, to_wait_);
  scx.released = rq.Integer(released_);
  scx.pnt_seq = rq.Integer(pnt_seq_);
  scx.cpuperf_target = rq.Integer(cpuperf_target_);
  return scx;
}

}  // namespace ktstr
