// What each sched_ext scheduler has of each CPU (struct scx_sched_pcpu,
// kernel/sched/ext/internal.h, 6.18 on).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct ScxCpuRow {
  int64_t scheduler = 0, cpu = 0;
  std::optional<int64_t> bypassing;
  std::optional<std::string> caps;
  std::optional<std::string> to_kick, to_kick_if_idle, to_preempt, to_wait;
  std::optional<int64_t> rescue_avg_ns;
  std::optional<Hex> pcpu_kva;

  static const RowTable<ScxCpuRow>& Table();
  friend bool operator==(const ScxCpuRow&, const ScxCpuRow&) = default;
};

// One row for each scheduler and CPU; none on a kernel whose schedulers have no such parts. Errors:
// those of the kernel's types.
Result<Walked<ScxCpuRow>> WalkScxCpus(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
