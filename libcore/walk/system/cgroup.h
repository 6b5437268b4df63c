// Cgroups: what each of them is given of the CPUs, and what it has used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct CgroupRow {
  std::optional<std::string> path;
  std::optional<Hex> id;
  std::optional<int64_t> hierarchy, level, online;
  std::optional<int64_t> nr_tasks, populated, freeze, frozen;
  std::optional<int64_t> weight, shares, idle, scx_weight;
  std::optional<std::string> cpu_max;
  std::optional<int64_t> quota_ns, period_ns, burst_ns;
  std::optional<int64_t> nr_periods, nr_throttled, throttled_ns;
  std::optional<std::string> throttled_cpus;
  std::optional<std::string> cpus, cpus_effective;
  std::optional<int64_t> usage_ns, user_ns, system_ns;
  std::optional<Hex> cgroup_kva, parent_kva, task_group_kva, cpuset_kva;

  static const RowTable<CgroupRow>& Table();
  friend bool operator==(const CgroupRow&, const CgroupRow&) = default;
};

// The cgroups that ListCgroups finds, in its order. Errors: those of the kernel's types; damage is
// an anomaly and costs only what it hides.
Result<Walked<CgroupRow>> WalkCgroups(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
