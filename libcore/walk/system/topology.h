// Where each CPU is in the machine: package, die, core, cache, NUMA node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct TopologyRow {
  int64_t cpu = 0;
  std::optional<int64_t> online;
  std::optional<int64_t> package, die, cluster, core, node, llc;
  std::optional<std::string> thread_siblings, core_siblings, die_siblings, llc_siblings;

  static const RowTable<TopologyRow>& Table();
  friend bool operator==(const TopologyRow&, const TopologyRow&) = default;
};

// Every possible CPU. One that was never online has no place that the kernel knows of. Errors:
// those of the kernel's types.
Result<Walked<TopologyRow>> WalkTopology(const GuestKernel& kernel);

}  // namespace ktstr
