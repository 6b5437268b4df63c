// The tasks on each CPU's run queues, in the order in which the queue holds them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct RqTaskRow {
  int64_t cpu = 0;
  std::string queue;  // "cfs", "cfs_throttled", "rt", "dl", "scx_local", "scx_runnable"
  int64_t position = 0;
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  std::optional<int64_t> running;
  std::optional<int64_t> depth;
  std::optional<std::string> cgroup;
  std::optional<int64_t> vruntime, deadline, slice_ns, delayed, h_load;
  std::optional<int64_t> prio, dl_runtime_ns;
  std::optional<std::string> note;
  std::optional<Hex> task_kva;

  static const RowTable<RqTaskRow>& Table();
  friend bool operator==(const RqTaskRow&, const RqTaskRow&) = default;
};

// All queues of all CPUs. The fair queue is given in tree order, group by group: a group's tasks
// stand where the group does; the entity that runs is not in the tree and comes first. Where the
// kernel queues all tasks flat (7.3), so do we. Behind it come the tasks that a throttled group has
// taken from it ("cfs_throttled", 6.18 on), which are runnable and in no queue. Errors:
// those of the kernel's types; damage is an anomaly and costs only what it hides.
Result<Walked<RqTaskRow>> WalkRqTasks(const GuestKernel& kernel, const WalkLimits& limits = {});

}  // namespace ktstr
