// Where a member of one task's task_struct lies: the task is searched, checked, and its member's
// offset added.
#pragma once

#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/located.h"
#include "libcore/ops/member_cache.h"
#include "libcore/ops/op_error.h"
#include "libcore/ops/request.h"
#include "libcore/ops/task_lookup.h"
#include "libcore/ops/task_validation.h"

namespace ktstr {

enum class TaskChecks {
  kAll,       // every layer of task_validation.h
  kIdentity,  // for postmortem reads: only L2, and that only where a start time is expected (not 0)
};

class TaskFields {
 public:
  explicit TaskFields(const GuestKernel& kernel) : kernel_(kernel) {}

  // The member, at its run-time address. Errors: those of TaskCheckLayout::Of (with kAll),
  // TaskListLayout::Of, FindTask, CheckTask; kFieldUnknown.
  OpResult<Located> Resolve(const TaskFieldTarget& target, TaskChecks checks);

 private:
  OpStatus Prepare(TaskChecks checks);

  const GuestKernel& kernel_;
  std::optional<MemberCache> members_;  // of task_struct
  std::optional<TaskListLayout> list_;
  std::optional<TaskCheckLayout> check_;
};

}  // namespace ktstr
