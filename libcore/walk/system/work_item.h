// Work of workqueues: what is being done, what waits, and by which kernel threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct WorkItemRow {
  std::optional<int64_t> pool, cpu, nice;
  std::string state;  // "running", "scheduled", "pending", "inactive"
  std::optional<int64_t> position;
  std::optional<std::string> function, workqueue;
  std::optional<int64_t> worker_pid;
  std::optional<std::string> worker_comm;
  std::optional<Hex> function_kva, work_kva, worker_kva, pool_kva;

  static const RowTable<WorkItemRow>& Table();
  friend bool operator==(const WorkItemRow&, const WorkItemRow&) = default;
};

// The work of each pool, then what its workqueue holds back. Delayed work is not here before its
// timer expires (table timer). Errors: those of the kernel's types; damage is an anomaly and costs
// only what it hides.
Result<Walked<WorkItemRow>> WalkWorkItems(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
