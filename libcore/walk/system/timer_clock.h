// CLOCK_MONOTONIC as the kernel last updated it: what pending timers are compared with.
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// In ns, out of the timekeeper for NMIs (kernel/time/timekeeping.c: tk_fast_mono), without what the
// clock source has counted since: up to a tick behind, and more while every CPU is idle. Nothing
// for a kernel that has no such thing; what cannot be read is an anomaly.
std::optional<int64_t> ReadMonotonicNs(const Walk& walk);

}  // namespace ktstr
