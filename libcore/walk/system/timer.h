// Timers of each CPU, pending and running: those of the timer wheel and the high-resolution ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct TimerRow {
  int64_t cpu = 0;
  std::string kind;  // "timer", "hrtimer"
  std::string base;
  std::string state;  // "pending", "running"
  std::optional<int64_t> expires_jiffies, expires_ns, soft_expires_ns, until_ns;
  std::optional<std::string> function;
  std::optional<std::string> flags;
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  std::optional<std::string> detail;
  std::optional<Hex> function_kva, timer_kva, task_kva;

  static const RowTable<TimerRow>& Table();
  friend bool operator==(const TimerRow&, const TimerRow&) = default;
};

// All pending timers of all CPUs, and those whose function runs: of each CPU first the wheel's, by
// base and bucket, then the high-resolution ones, by clock and expiry. Errors: those of the
// kernel's types; damage is an anomaly and costs only what it hides.
Result<Walked<TimerRow>> WalkTimers(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
