// The fair queues of a task group, one for each CPU (struct task_group, kernel/sched/sched.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "libcore/walk/row/fields.h"

namespace ktstr {

class GroupQueues {
 public:
  explicit GroupQueues(const Walk& walk);

  // Whether the kernel has groups of fair tasks.
  explicit operator bool() const { return cfs_rq_.has_value(); }
  // The struct cfs_rq of the group on that CPU. Nothing where the group has none, or where
  // that cannot be read, which is an anomaly.
  std::optional<Kva> Of(CellReader& group, uint32_t cpu) const;

 private:
  Walk walk_;
  MaybeMember cfs_rq_;
  bool per_cpu_ = false;
};

}  // namespace ktstr
