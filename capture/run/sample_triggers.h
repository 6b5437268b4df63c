// Triggers that are seen by looking at the running guest again and again: stall, clock-stuck,
// watchdog.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "capture/run/fired.h"
#include "capture/watch/sample.h"

namespace ktstr {

class SampleTriggers {
 public:
  // Takes those of `specs` that are its business.
  explicit SampleTriggers(const std::vector<TriggerSpec>& specs);

  bool wanted() const { return !specs_.empty(); }
  // How often to look: a fifth of the shortest limit, between 5 and 100 ms.
  std::chrono::milliseconds interval() const;

  // What struck, the first of several. `sample` follows the one of the call before.
  std::optional<Fired> Check(const WatchSample& sample);

 private:
  std::optional<Fired> CheckStall(const TriggerSpec& spec, const WatchSample& sample) const;
  std::optional<Fired> CheckWatchdog(const TriggerSpec& spec, const WatchSample& sample) const;
  std::optional<Fired> CheckWatchdog(const TriggerSpec& spec,
                                     const SchedulerSample& scheduler) const;
  std::optional<Fired> CheckClocks(const TriggerSpec& spec, const WatchSample& sample);
  std::optional<std::chrono::microseconds> StandingFor(const CpuSample& cpu);

  struct Clock {
    int64_t ns;
    // When it was first seen there: how long the guest was up then, and the host's time.
    int64_t guest_ns;
    std::chrono::steady_clock::time_point read_at;
  };

  std::vector<TriggerSpec> specs_;
  std::map<int64_t, Clock> clocks_;  // by CPU
  std::optional<int64_t> uptime_ns_;
};

}  // namespace ktstr
