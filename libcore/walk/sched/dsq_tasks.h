// The tasks in one dispatch queue (struct scx_dispatch_q, include/linux/sched/ext.h).
#pragma once

#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/anomaly.h"

namespace ktstr {

class DsqTasks {
 public:
  // A kernel without sched_ext has no such queues: then both lists are empty.
  explicit DsqTasks(const Walk& walk);

  // The task_structs in dispatch order. Cursors of BPF iterators are no tasks and left out.
  std::vector<Kva> InListOrder(Kva dsq, std::string_view name) const;
  // Those that are ordered by their dsq_vtime, in that order.
  std::vector<Kva> InVtimeOrder(Kva dsq, std::string_view name) const;

 private:
  Walk walk_;
  DsqMembers queue_{walk_};
  DsqNodeMembers task_{walk_};
};

}  // namespace ktstr
