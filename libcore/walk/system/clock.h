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
  // How long ago that was, in ms; nothing where jiffies or hz are unknown. Jiffies wrap; the
  // difference does not.
  std::optional<int64_t> MsSince(int64_t then) const;
  // The same in ns.
  std::optional<int64_t> NsSince(int64_t then) const;
  // So many jiffies in ms.
  std::optional<int64_t> ToMs(int64_t count) const;
};

// What cannot be read is an anomaly and unknown.
KernelClock ReadKernelClock(const GuestKernel& kernel, Anomalies& anomalies);

}  // namespace ktstr
