// The kernel's coarse clock: jiffies and how many of them a second has.
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"

namespace ktstr {

struct KernelClock {
  std::optional<int64_t> jiffies;  // as the kernel counts: begins at INITIAL_JIFFIES
  std::optional<int64_t> hz;       // jiffies per second
  // Since boot, suspend not counted; by jiffies, so in steps of one tick.
  std::optional<int64_t> uptime_ns() const;
};

// What cannot be read is an anomaly and unknown.
KernelClock ReadKernelClock(const GuestKernel& kernel, Anomalies& anomalies);

}  // namespace ktstr
