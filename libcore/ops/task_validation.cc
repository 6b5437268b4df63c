#include "libcore/ops/task_validation.h"

#include <fmt/format.h>

#include "libcore/kernel/object_reader.h"
#include "libcore/ops/needed_members.h"

namespace ktstr {

namespace {

OpResult<int64_t> ReadInteger(ObjectReader& task, const Member& member) {
  const auto value = task.Integer(member);
  if (!value) return tl::make_unexpected(MemoryError(value.error()));
  return *value;
}

OpResult<uint64_t> ReadUnsigned(ObjectReader& task, const Member& member) {
  return static_cast<uint64_t>(KTSTR_TRY(ReadInteger(task, member)));
}

OpStatus CheckPid(ObjectReader& task, const TaskCheckLayout& layout, uint32_t expected) {
  const auto pid = KTSTR_TRY(ReadInteger(task, *layout.task.pid));
  if (pid == expected) return {};
  return Refuse(OpErrorCode::kTaskPid, OpLayer::kL1,
                fmt::format("the task_struct at {:#x} has pid {}: its memory was used again",
                            task.base().value(), pid));
}

// /proc tells start_boottime, which the kernel takes a moment after start_time (copy_process() in
// kernel/fork.c), so that a tick may lie between them; and which goes on while a machine is
// suspended.
OpStatus CheckStart(ObjectReader& task, const StartMembers& members, uint64_t expected) {
  const auto in_tick = [&](uint64_t start) {
    return start >= expected && start - expected < kStartTimeTickNs;
  };
  const auto start = KTSTR_TRY(ReadUnsigned(task, members.start_time));
  if (in_tick(start)) return {};
  if (members.start_boottime) {
    // 0 is L8's: the memory was freed.
    const auto boot = KTSTR_TRY(ReadUnsigned(task, *members.start_boottime));
    if (boot != 0 && in_tick(boot)) return {};
  }
  return Refuse(OpErrorCode::kTaskStartTime, OpLayer::kL2,
                fmt::format("started at {} ns, not within 10 ms from {} ns on: the PID is that of "
                            "another task by now",
                            start, expected));
}

OpStatus CheckAlive(ObjectReader& task, const TaskCheckLayout& layout) {
  const auto state = KTSTR_TRY(ReadUnsigned(task, *layout.task.state));
  if ((state & kTaskDeadState) == 0) return {};
  return Refuse(
      OpErrorCode::kTaskDead, OpLayer::kL3,
      fmt::format("the task is dead (TASK_DEAD in __state {:#x}) and being taken apart", state));
}

OpStatus CheckAsleep(ObjectReader& task, const TaskCheckLayout& layout) {
  const auto on_rq = KTSTR_TRY(ReadInteger(task, *layout.task.on_rq));
  if (on_rq == 0) return {};
  return Refuse(OpErrorCode::kTaskOnRq, OpLayer::kL4,
                fmt::format("the task is on a run queue (on_rq {}), whose order a change could "
                            "break; ask while it sleeps",
                            on_rq));
}

OpStatus CheckUnqueued(ObjectReader& task, const TaskCheckLayout& layout) {
  const auto dsq = KTSTR_TRY(ReadUnsigned(task, *layout.scx.dsq));
  if (dsq != 0) {
    return Refuse(OpErrorCode::kTaskOnDsq, OpLayer::kL5,
                  fmt::format("the task is in a DSQ (scx.dsq {:#x}), whose order a change could "
                              "break; ask while it sleeps",
                              dsq));
  }
  // A list node that points to itself is on no list; one of zeros never was on one.
  const uint64_t node = layout.scx.runnable_node->offset;
  const Kva self = task.base() + node;
  const auto read = task.ReadAt<Kva>(node);
  if (!read) return tl::make_unexpected(MemoryError(read.error()));
  const Kva next = *read;
  if (next.is_null() || next == self) return {};
  return Refuse(OpErrorCode::kTaskRunnable, OpLayer::kL5,
                fmt::format("the task is on a runnable list (scx.runnable_node.next {:#x}, itself "
                            "{:#x}); ask while it sleeps",
                            next.value(), self.value()));
}

OpStatus CheckClass(ObjectReader& task, const TaskCheckLayout& layout) {
  const Kva sched_class(KTSTR_TRY(ReadUnsigned(task, *layout.task.sched_class)));
  if (sched_class == layout.ext_sched_class) return {};
  return Refuse(
      OpErrorCode::kTaskClass, OpLayer::kL6,
      fmt::format("sched_class {:#x} is not ext_sched_class {:#x}: only tasks of sched_ext "
                  "keep what is written to them",
                  sched_class.value(), layout.ext_sched_class.value()));
}

OpStatus CheckBootTime(ObjectReader& task, const TaskCheckLayout& layout) {
  const auto boot_time = KTSTR_TRY(ReadUnsigned(task, *layout.task.start_boottime));
  if (boot_time != 0) return {};
  return Refuse(OpErrorCode::kTaskRecycled, OpLayer::kL8,
                "start_boottime is 0: the memory was freed and cleared");
}

}  // namespace

OpResult<TaskCheckLayout> TaskCheckLayout::Of(const GuestKernel& kernel) {
  const auto ext_sched_class = kernel.symbol_kva("ext_sched_class");
  if (!ext_sched_class) {
    return Refuse(OpErrorCode::kNoSchedExt, OpLayer::kName,
                  "the kernel has no sched_ext (no symbol 'ext_sched_class'), and only tasks of "
                  "sched_ext can be asked for; reads can be 'unchecked'");
  }
  TaskCheckLayout layout = {
      KTSTR_TRY(FindNeededMembers<TaskCheckMembers>(kernel, kTaskStruct.name)),
      KTSTR_TRY(FindNeededMembers<ScxCheckMembers>(kernel, kTaskStruct.name)), *ext_sched_class};
  // A task without that whole part lacks nothing, as walkers see it.
  if (!layout.scx.dsq) {
    return Refuse(OpErrorCode::kFieldUnknown, OpLayer::kName,
                  "the kernel's struct task_struct has no member 'scx'");
  }
  return layout;
}

OpStatus CheckTask(const GuestKernel& kernel, const TaskCheckLayout& layout, Kva kva,
                   const TaskFieldTarget& target) {
  ObjectReader task(kernel, kva);
  KTSTR_TRY(CheckPid(task, layout, target.pid));
  KTSTR_TRY(CheckStart(task, {*layout.task.start_time, *layout.task.start_boottime},
                       target.expected_start_time_ns));
  KTSTR_TRY(CheckAlive(task, layout));
  KTSTR_TRY(CheckAsleep(task, layout));
  KTSTR_TRY(CheckUnqueued(task, layout));
  KTSTR_TRY(CheckClass(task, layout));
  return CheckBootTime(task, layout);
}

OpStatus CheckStartTime(const GuestKernel& kernel, const StartMembers& members, Kva kva,
                        const TaskFieldTarget& target) {
  ObjectReader task(kernel, kva);
  return CheckStart(task, members, target.expected_start_time_ns);
}

}  // namespace ktstr
