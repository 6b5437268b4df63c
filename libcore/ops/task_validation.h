// Whether a task may be touched: the layers of checks between finding a task and using a field of
// it. Each guards against one way in which a change could hit the wrong task or break the
// scheduler's own structures.
#pragma once

#include <cstdint>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/op_error.h"
#include "libcore/ops/request.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

// /proc/PID/stat tells a start time in ticks, rounded down; of 10 ms with CLK_TCK 100.
inline constexpr uint64_t kStartTimeTickNs = 10'000'000;
// TASK_DEAD of task_struct.__state (include/linux/sched.h).
inline constexpr uint32_t kTaskDeadState = 0x80;

// Read as wide as the kernel's types say: on_rq and on_cpu are single bytes side by side on 7.3.
struct TaskCheckMembers : Fields {
  explicit TaskCheckMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember pid = Need(task_member::kPid), start_time = Need(task_member::kStartTime),
              state = Need(task_member::kState), on_rq = Need(task_member::kOnRq),
              sched_class = Need(task_member::kSchedClass),
              start_boottime = Need(task_member::kStartBoottime);
};
struct ScxCheckMembers : Fields {
  explicit ScxCheckMembers(const Walk& walk) : Fields(walk, kScxEntityStruct) {}
  MaybeMember dsq = Need(scx_member::kDsq), runnable_node = Need(scx_member::kRunnableNode);
};

// What the checks need to know of the kernel. All members are there.
struct TaskCheckLayout {
  TaskCheckMembers task;
  ScxCheckMembers scx;
  // Run-time address, as tasks point to it: KASLR is in both or in neither.
  Kva ext_sched_class;

  // Errors: kNoSchedExt, kTypesUnavailable, kTypeUnknown, kFieldUnknown.
  static OpResult<TaskCheckLayout> Of(const GuestKernel& kernel);
};

// All layers, in order; the first that objects is the error.
//   L1  its pid is the one asked for                        kTaskPid
//   L2  it started in [expected, expected + 10 ms), by      kTaskStartTime
//       start_time or start_boottime
//   L3  __state lacks TASK_DEAD                             kTaskDead
//   L4  on_rq is 0: it sleeps                               kTaskOnRq
//   L5  scx.dsq is null and scx.runnable_node is unlinked   kTaskOnDsq, kTaskRunnable
//   L6  sched_class is ext_sched_class                      kTaskClass
//   L8  start_boottime is not 0                             kTaskRecycled
// There is no L7: a task of sched_ext's keeps the policy that it was started with. Errors besides:
// those of reading the task.
OpStatus CheckTask(const GuestKernel& kernel, const TaskCheckLayout& layout, Kva task,
                   const TaskFieldTarget& target);

// The members that tell when a task started.
struct StartMembers {
  Member start_time;
  MaybeMember start_boottime;
};

// L2 alone.
OpStatus CheckStartTime(const GuestKernel& kernel, const StartMembers& members, Kva task,
                        const TaskFieldTarget& target);

}  // namespace ktstr
