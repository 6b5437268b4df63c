// Where a kernel keeps its sched_ext schedulers: one in static variables up to 6.15, objects of
// type struct scx_sched from 6.16 on (sub-schedulers from 7.1 on).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The global dispatch queue of a NUMA node (struct scx_dispatch_q).
struct NodeDsq {
  int64_t node;
  Kva dsq;
};

// The addresses of one scheduler's parts; what the kernel does not have is not there.
struct ScxInstance {
  std::optional<Kva> sched;  // struct scx_sched; none up to 6.15
  std::optional<Kva> ops;    // struct sched_ext_ops
  std::optional<Kva> exit_kind;
  std::optional<Kva> exit_info;  // what the pointer to struct scx_exit_info holds; not null
  std::optional<Kva> dsq_hash;   // struct rhashtable of struct scx_dispatch_q
  std::vector<NodeDsq> global_dsqs;
  std::optional<int64_t> level;  // 0 for the root scheduler, deeper for sub-schedulers
};

// The root scheduler first, then its sub-schedulers, each before its own. Up to 6.15 always one,
// whether a scheduler is loaded or not; none when the kernel has no sched_ext, or from 6.16 on no
// scheduler is loaded.
std::vector<ScxInstance> ListScxInstances(const Walk& walk);

}  // namespace ktstr
