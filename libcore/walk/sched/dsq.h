// Dispatch queues of sched_ext, and the tasks in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct DsqRow {
  std::optional<Hex> dsq_id;
  std::string kind;  // "local", "global", "user", "bypass", "reject", "rescue"
  std::optional<int64_t> scheduler, cpu, node;
  std::optional<int64_t> nr;
  int64_t listed = 0;
  int64_t by_vtime = 0;
  std::optional<Hex> dsq_kva;

  static const RowTable<DsqRow>& Table();
  friend bool operator==(const DsqRow&, const DsqRow&) = default;
};

struct DsqTaskRow {
  std::optional<Hex> dsq_id;
  std::optional<int64_t> scheduler, cpu, node;
  std::optional<int64_t> position, vtime_position;
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  std::optional<Hex> vtime;
  std::optional<int64_t> slice_ns, waiting_ms;
  std::optional<Hex> task_kva, dsq_kva;

  static const RowTable<DsqTaskRow>& Table();
  friend bool operator==(const DsqTaskRow&, const DsqTaskRow&) = default;
};

struct DsqState {
  std::vector<DsqRow> dsqs;
  std::vector<DsqTaskRow> tasks;
  std::vector<AnomalyRow> anomalies;
};

// Every queue there is: each CPU's local one, the global ones of each NUMA node, those that
// schedulers made, those of bypass mode, and those for tasks that a sub-scheduler may not run
// there; nothing when the kernel has no sched_ext. A task that
// only the list or only the tree of a queue has is a row without the other's position and an
// anomaly. Errors: those of the kernel's types.
Result<DsqState> WalkDsqs(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
