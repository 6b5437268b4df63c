// Where a kernel keeps its sched_ext schedulers: one in static variables up to 6.15, objects of
// type struct scx_sched from 6.16 on. From 7.1 on a scheduler may have sub-schedulers, each for the
// tasks of a cgroup and those below it.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
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
  // Place among all schedulers of the one whose sub-scheduler it is; none for the root one.
  std::optional<size_t> parent;
  // Whether its struct sched_ext_ops is a sched_ext_ops_cid. Unknown: the kernel has only one kind.
  std::optional<bool> is_cid_type;
};

// The root scheduler first, then its sub-schedulers, each before its own, and last those that are
// not in that tree but on scx_sched_all: schedulers that come or go, whose parent is not told. Up
// to 6.15 always one, whether a scheduler is loaded or not; none when the kernel has no sched_ext,
// or from 6.16 on no scheduler is loaded.
std::vector<ScxInstance> ListScxInstances(const Walk& walk);

// The parts of the scheduler at `sched`, a struct scx_sched, in no list.
ScxInstance ScxInstanceAt(const Walk& walk, Kva sched);

// Numbers of schedulers, as in table scx, by the address of their struct scx_sched.
class ScxNumbers {
 public:
  explicit ScxNumbers(const Walk& walk);

  // Nothing for an address that is none of theirs.
  std::optional<int64_t> Of(Kva sched) const;

 private:
  std::unordered_map<uint64_t, int64_t> numbers_;
};

}  // namespace ktstr
