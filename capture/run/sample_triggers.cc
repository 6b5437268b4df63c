#include "capture/run/sample_triggers.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr int kHostTimeShare = 3;

bool IsSampled(TriggerKind kind) {
  return kind == TriggerKind::kStall || kind == TriggerKind::kClockStuck ||
         kind == TriggerKind::kWatchdog;
}

std::string NameOf(const WaitingTask& task) {
  return fmt::format("{} ({}) on CPU {}", SafeText(task.comm.value_or("?")),
                     task.pid ? std::to_string(*task.pid) : "?", task.cpu);
}

// The sub-scheduler that owns the task; nothing for tasks of the root scheduler.
const SchedulerSample* SubSchedulerOf(const WaitingTask& task, const ScxSample& scx) {
  for (const SchedulerSample& scheduler : scx.schedulers) {
    if (scheduler.cgroup && scheduler.sched == task.owner) return &scheduler;
  }
  return nullptr;
}

void Name(const SchedulerSample& scheduler, Fired* fired) {
  if (scheduler.ops_name) fired->values["ops_name"] = *scheduler.ops_name;
  if (scheduler.cgroup) fired->values["cgroup"] = *scheduler.cgroup;
}

std::map<std::string, std::string> ValuesOf(const WaitingTask& task) {
  std::map<std::string, std::string> values = {{"cpu", std::to_string(task.cpu)}};
  if (task.pid) values["pid"] = std::to_string(*task.pid);
  if (task.comm) values["comm"] = *task.comm;
  if (task.waiting_ms) values["waiting_ms"] = std::to_string(*task.waiting_ms);
  return values;
}

}  // namespace

SampleTriggers::SampleTriggers(const std::vector<TriggerSpec>& specs) {
  for (const TriggerSpec& spec : specs) {
    if (IsSampled(spec.kind)) specs_.push_back(spec);
  }
}

milliseconds SampleTriggers::interval() const {
  auto shortest = milliseconds(100);
  for (const TriggerSpec& spec : specs_) {
    if (spec.over.count() == 0) continue;  // of the watchdog, whose limit the kernel has
    shortest = std::min(shortest, duration_cast<milliseconds>(spec.over / 5));
  }
  return std::max(shortest, milliseconds(5));
}

std::optional<Fired> SampleTriggers::Check(const WatchSample& sample) {
  uptime_ns_ = sample.uptime_ns;
  std::optional<Fired> fired;
  for (const TriggerSpec& spec : specs_) {
    if (spec.kind == TriggerKind::kStall) fired = CheckStall(spec, sample);
    if (spec.kind == TriggerKind::kWatchdog) fired = CheckWatchdog(spec, sample);
    if (spec.kind == TriggerKind::kClockStuck) fired = CheckClocks(spec, sample);
    if (fired) break;
  }
  return fired;
}

std::optional<Fired> SampleTriggers::CheckStall(const TriggerSpec& spec,
                                                const WatchSample& sample) const {
  if (!sample.scx || !sample.scx->oldest || !sample.scx->oldest->waiting_ms) return std::nullopt;
  const WaitingTask& oldest = *sample.scx->oldest;
  const milliseconds waiting(*oldest.waiting_ms);
  if (waiting <= spec.over) return std::nullopt;
  auto values = ValuesOf(oldest);
  values["limit_ms"] = std::to_string(duration_cast<milliseconds>(spec.over).count());
  const SchedulerSample* owner = SubSchedulerOf(oldest, *sample.scx);
  Fired fired = FiredBy(
      spec,
      fmt::format("{}{} has been runnable for {} without running; the limit is {}", NameOf(oldest),
                  owner ? ", a task of the scheduler " + SafeText(NameOf(*owner)) + "," : "",
                  FormatDuration(waiting), FormatDuration(spec.over)),
      std::move(values));
  if (owner) Name(*owner, &fired);
  return fired;
}

std::optional<Fired> SampleTriggers::CheckWatchdog(const TriggerSpec& spec,
                                                   const WatchSample& sample) const {
  if (!sample.scx) return std::nullopt;
  for (const SchedulerSample& scheduler : sample.scx->schedulers) {
    if (auto fired = CheckWatchdog(spec, scheduler)) return fired;
  }
  return std::nullopt;
}

std::optional<Fired> SampleTriggers::CheckWatchdog(const TriggerSpec& spec,
                                                   const SchedulerSample& scheduler) const {
  if (!scheduler.oldest || !scheduler.oldest->waiting_ms ||
      scheduler.watchdog_timeout_ms.value_or(0) <= 0) {
    return std::nullopt;
  }
  const WaitingTask& oldest = *scheduler.oldest;
  const auto timeout = double(*scheduler.watchdog_timeout_ms);
  if (double(*oldest.waiting_ms) < spec.part * timeout) return std::nullopt;
  auto values = ValuesOf(oldest);
  values["timeout_ms"] = std::to_string(*scheduler.watchdog_timeout_ms);
  Fired fired = FiredBy(
      spec,
      fmt::format("{} has been runnable for {} of the {} that sched_ext's watchdog gives it{}",
                  NameOf(oldest), FormatDuration(milliseconds(*oldest.waiting_ms)),
                  FormatDuration(milliseconds(*scheduler.watchdog_timeout_ms)),
                  scheduler.cgroup ? " by the scheduler " + SafeText(NameOf(scheduler)) : ""),
      std::move(values));
  if (scheduler.cgroup) Name(scheduler, &fired);
  return fired;
}

// For how long the clock has stood still, by the guest's own time: a host that is busy stops both.
// That time stands, too, when the CPU that keeps it is the one that is stuck: then a third of the
// host's counts.
std::optional<microseconds> SampleTriggers::StandingFor(const CpuSample& cpu) {
  if (cpu.torn || !cpu.clock_ns || !uptime_ns_) return std::nullopt;
  const Clock now = {*cpu.clock_ns, *uptime_ns_, cpu.read_at};
  auto [known, is_new] = clocks_.try_emplace(cpu.cpu, now);
  const bool idle = cpu.nr_running.value_or(0) == 0;
  if (is_new || idle || known->second.ns != now.ns) {
    known->second = now;
    return std::nullopt;
  }
  const nanoseconds guest(now.guest_ns - known->second.guest_ns);
  const nanoseconds host = now.read_at - known->second.read_at;
  return duration_cast<microseconds>(std::max(guest, host / kHostTimeShare));
}

std::optional<Fired> SampleTriggers::CheckClocks(const TriggerSpec& spec,
                                                 const WatchSample& sample) {
  std::optional<Fired> fired;
  for (const CpuSample& cpu : sample.cpus) {
    const auto standing = StandingFor(cpu);
    if (fired || !standing || *standing <= spec.over) continue;
    fired = FiredBy(spec,
                    fmt::format("the clock of CPU {}'s run queue, with {} tasks on it, has stood "
                                "still for {}; the limit is {}",
                                cpu.cpu, cpu.nr_running.value_or(0), FormatDuration(*standing),
                                FormatDuration(spec.over)),
                    {{"cpu", std::to_string(cpu.cpu)},
                     {"clock_ns", std::to_string(*cpu.clock_ns)},
                     {"standing_us", std::to_string(standing->count())}});
  }
  return fired;
}

}  // namespace ktstr
