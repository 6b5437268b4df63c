#include "capture/watch/sampler.h"

#include <algorithm>

#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {

// A run queue's clock moves only when it is used: how far it is behind the one used last.
void CompareClocks(std::vector<CpuSample>& cpus) {
  int64_t latest = 0;
  for (const CpuSample& cpu : cpus) latest = std::max(latest, cpu.clock_ns.value_or(0));
  for (CpuSample& cpu : cpus) {
    if (cpu.clock_ns && cpu.online != false) cpu.clock_behind_ns = latest - *cpu.clock_ns;
  }
}

}  // namespace

Sampler::Sampler(const Walk& walk, const RetryLimits& retry)
    : kernel_(&walk.kernel),
      types_(&walk.types),
      retry_(retry),
      hz_(ReadKernelClock(walk.kernel, walk.anomalies).hz),
      cpus_(std::make_unique<CpuSampler>(walk)) {
  if (walk.types.FindStruct("sched_ext_ops")) scx_ = std::make_unique<ScxSampler>(walk);
}

Result<Sampler> Sampler::Make(const GuestKernel& kernel, const RetryLimits& retry) {
  // A member that this kernel does not have makes its column unknown.
  Anomalies anomalies("watch");
  return Sampler(KTSTR_TRY(Walk::Of(kernel, anomalies)), retry);
}

WatchSample Sampler::Take() {
  // The guest has run since the last time, and may have changed its page tables.
  kernel_->address_space().Flush();
  Anomalies anomalies("watch");
  WatchSample sample;
  sample.release = kernel_->release();
  for (const CpuRef& cpu : ListCpus({*kernel_, *types_, anomalies})) {
    sample.cpus.push_back(cpus_->Take(cpu, retry_));
  }
  CompareClocks(sample.cpus);
  AddRates(sample.cpus);
  if (scx_) sample.scx = scx_->Take(hz_, retry_);
  // Read last: nobody became runnable after it.
  KernelClock clock;
  clock.hz = hz_;
  if (const auto jiffies = kernel_->ReadSymbol<int64_t>("jiffies_64")) clock.jiffies = *jiffies;
  sample.uptime_ns = clock.uptime_ns();
  AddWaiting(sample, clock.jiffies);
  return sample;
}

void Sampler::AddRates(std::vector<CpuSample>& cpus) {
  for (CpuSample& cpu : cpus) {
    if (!cpu.nr_switches) {
      switches_.erase(cpu.cpu);
      continue;
    }
    const auto before = switches_.find(cpu.cpu);
    if (before != switches_.end()) {
      const std::chrono::duration<double> passed = cpu.read_at - before->second.at;
      const int64_t switches = *cpu.nr_switches - before->second.count;
      if (passed.count() > 0 && switches >= 0) cpu.switches_per_s = switches / passed.count();
    }
    switches_[cpu.cpu] = {*cpu.nr_switches, cpu.read_at};
  }
}

void Sampler::AddWaiting(WatchSample& sample, std::optional<int64_t> jiffies) const {
  if (!sample.scx) return;
  ScxSample& scx = *sample.scx;
  for (CpuSample& cpu : sample.cpus) {
    scx.oldest_torn |= cpu.oldest_torn;
    if (!cpu.oldest) continue;
    cpu.oldest->waiting_ms = KernelClock{jiffies, hz_}.MsSince(cpu.oldest->runnable_at);
    KeepOlder(*cpu.oldest, scx.oldest);
    for (WaitingTask& task : cpu.oldest_by_owner) {
      task.waiting_ms = KernelClock{jiffies, hz_}.MsSince(task.runnable_at);
      const auto owner = std::ranges::find_if(scx.schedulers, [&](const SchedulerSample& s) {
        return task.owner.is_null() || s.sched == task.owner;
      });
      if (owner != scx.schedulers.end()) KeepOlder(task, owner->oldest);
    }
  }
  for (SchedulerSample& scheduler : scx.schedulers) {
    if (!scheduler.watchdog_timeout_ms || !scheduler.oldest || !scheduler.oldest->waiting_ms) {
      continue;
    }
    const int64_t margin = *scheduler.watchdog_timeout_ms - *scheduler.oldest->waiting_ms;
    scheduler.watchdog_margin_ms = margin;
    scx.watchdog_margin_ms = std::min(scx.watchdog_margin_ms.value_or(margin), margin);
  }
}

}  // namespace ktstr
