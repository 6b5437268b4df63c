// Which task stands behind an address: what other tables show of it beside the address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct TaskIdentity {
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
};

class TaskIdentities {
 public:
  explicit TaskIdentities(const Walk& walk);

  // Of the task_struct at `task`; what cannot be read is an anomaly. Nothing for a null pointer.
  TaskIdentity Of(Kva task) const;

 private:
  Walk walk_;
  TaskNameMembers task_{walk_};
};

}  // namespace ktstr
