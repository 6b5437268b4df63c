// Where a member of one task's task_struct lies: the task is searched, checked, and its member's
// offset added.
#pragma once

#include <optional>

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/ops/member_cache.h"
#include "ktstr/ops/op_error.h"
#include "ktstr/ops/request.h"
#include "ktstr/ops/task_lookup.h"
#include "ktstr/ops/task_validation.h"

namespace ktstr {

enum class TaskChecks {
  kAll,       // every layer of task_validation.h
  kIdentity,  // for postmortem reads: only L2, and that only where a start time is expected (not 0)
};

class TaskFields {
 public:
  explicit TaskFields(const GuestKernel& kernel) : kernel_(kernel) {}

  // The member's run-time address. Errors: those of TaskCheckLayout::Of (with kAll),
  // TaskListLayout::Of, FindTask, CheckTask; kFieldUnknown.
  OpResult<Kva> Resolve(const TaskFieldTarget& target, TaskChecks checks);

 private:
  OpStatus Prepare(TaskChecks checks);

  const GuestKernel& kernel_;
  std::optional<MemberCache> members_;  // of task_struct
  std::optional<TaskListLayout> list_;
  std::optional<TaskCheckLayout> check_;
};

}  // namespace ktstr
