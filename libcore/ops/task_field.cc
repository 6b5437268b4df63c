#include "libcore/ops/task_field.h"

namespace ktstr {

// What the kernel's layout says, once. A kernel without sched_ext can still be read unchecked.
OpStatus TaskFields::Prepare(TaskChecks checks) {
  if (!members_) members_ = KTSTR_TRY(MemberCache::Open(kernel_, "task_struct"));
  if (!list_) list_ = KTSTR_TRY(TaskListLayout::Of(kernel_));
  if (!check_ && checks == TaskChecks::kAll) check_ = KTSTR_TRY(TaskCheckLayout::Of(kernel_));
  return {};
}

OpResult<Located> TaskFields::Resolve(const TaskFieldTarget& target, TaskChecks checks) {
  KTSTR_TRY(Prepare(checks));
  const Kva task = KTSTR_TRY(FindTask(kernel_, *list_, target.pid));
  if (checks == TaskChecks::kAll) {
    KTSTR_TRY(CheckTask(kernel_, *check_, task, target));
  } else if (target.expected_start_time_ns != 0) {
    StartMembers members = {.start_time = KTSTR_TRY(members_->Find("start_time"))};
    if (const auto boot = members_->Find("start_boottime")) members.start_boottime = *boot;
    KTSTR_TRY(CheckStartTime(kernel_, members, task, target));
  }
  const Member member = KTSTR_TRY(members_->Find(target.field));
  return Located{task + member.offset, member};
}

}  // namespace ktstr
