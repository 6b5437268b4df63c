#include "libcore/walk/cpu/cpu_detail.h"

#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/sched/scx_instance.h"

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
      tick_columns_(walk, "tick_sched"),
      scx_flag_names_(walk.types, {"scx_rq_flags"}, "SCX_RQ_") {
  const ScxSchedMembers members(walk);
  for (const ScxInstance& instance : ListScxInstances(walk)) {
    if (!instance.sched || !members.pcpu) continue;
    CellReader sched(walk, *instance.sched, "a scheduler");
    if (const auto pcpu = sched.Pointer(members.pcpu); pcpu && !pcpu->is_null()) {
      pcpus_.push_back(*pcpu);
    }
  }
}

std::vector<Kva> CpuDetails::OfSchedulers(uint32_t cpu) const {
  std::vector<Kva> found;
  for (const Kva pcpu : pcpus_) {
    if (const auto at = walk_.kernel.PerCpu(pcpu, cpu)) {
      found.push_back(*at);
    } else {
      walk_.anomalies.Add(at.error(), pcpu, "finding what a scheduler keeps of a CPU");
    }
  }
  return found;
}

void CpuDetails::FillTick(uint32_t cpu, CpuRow& row) const {
  const auto symbol = walk_.kernel.symbol_kva("tick_cpu_sched");
  if (!symbol) return;
  const auto at = walk_.kernel.PerCpu(*symbol, cpu);
  if (!at) return walk_.anomalies.Add(at.error(), *symbol, "finding a CPU's tick");
  CellReader tick(walk_, *at, "a CPU's tick");
  const auto flags = tick.Unsigned(tick_.flags);
  row.tick.stopped = tick_.stopped ? tick.Integer(tick_.stopped) : Bit(flags, kTickStopped);
  row.tick.in_idle = tick_.in_idle ? tick.Integer(tick_.in_idle) : Bit(flags, kTickInIdle);
  tick_columns_.Read(tick, row);
}

// Counted only while kernel.sched_schedstats is on.
void CpuDetails::FillSchedstat(CellReader& rq, CpuSchedstat& stat) const {
  if (!counts_events_) return;
  stat.yld_count = rq.Integer(events_.yld_count);
  stat.sched_count = rq.Integer(events_.sched_count);
  stat.sched_goidle = rq.Integer(events_.sched_goidle);
  stat.ttwu_count = rq.Integer(events_.ttwu_count);
  stat.ttwu_local = rq.Integer(events_.ttwu_local);
}

void CpuDetails::FillScx(CellReader& rq, uint32_t cpu, CpuScx& scx) const {
  if (const auto flags = rq.Unsigned(scx_.flags)) scx.flag_names = scx_flag_names_.FlagsOf(*flags);
  const std::vector<Kva> schedulers = OfSchedulers(cpu);
  const auto list = [&](const MaybeMember& of_rq, const MaybeMember& of_scheduler) {
    return of_rq ? masks_.ListOf(rq, of_rq)
                 : masks_.ListOfAll(schedulers, "what a scheduler keeps of a CPU", of_scheduler);
  };
  scx.to_kick = list(scx_.to_kick, sched_pcpu_.to_kick);
  scx.to_kick_if_idle = list(scx_.to_kick_if_idle, sched_pcpu_.to_kick_if_idle);
  scx.to_preempt = list(scx_.to_preempt, sched_pcpu_.to_preempt);
  scx.to_wait = list(scx_.to_wait, sched_pcpu_.to_wait);
  if (scx_.to_sync) scx.to_sync = masks_.ListOf(rq, scx_.to_sync);
}

}  // namespace ktstr
