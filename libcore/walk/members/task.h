// struct task_struct (include/linux/sched.h) and struct sched_ext_entity in it
// (include/linux/sched/ext.h): the members that several walkers, watch or ops read. A kernel that
// has moved or renamed one is coped with here.
#pragma once

#include "libcore/walk/row/fields.h"

namespace ktstr {

inline constexpr Structure kTaskStruct{"task_struct"};
// Offsets count from the task's begin.
inline constexpr Structure kScxEntityStruct{"task_struct", "scx"};

// Of kTaskStruct.
namespace task_member {
inline constexpr MemberPaths kPid("pid"), kTgid("tgid"), kComm("comm"), kPrio("prio");
// Renamed in 5.14 (2f064a59a11f).
inline constexpr MemberPaths kState("__state", "state");
inline constexpr MemberPaths kExitState("exit_state"), kOnCpu("on_cpu"), kOnRq("on_rq");
// 5.16 (bcf9033e5449) moved it from the task to thread_info. A kernel that has both (CentOS Stream
// 9) keeps up the task's own.
inline constexpr MemberPaths kCpu("cpu", "thread_info.cpu");
inline constexpr MemberPaths kSchedClass("sched_class"), kStack("stack");
inline constexpr MemberPaths kStartTime("start_time");
// Renamed in 5.5 (cf25e24db61c).
inline constexpr MemberPaths kStartBoottime("start_boottime", "real_start_time");
inline constexpr MemberPaths kDeadlineEntity("dl");
}  // namespace task_member

// Of kScxEntityStruct.
namespace scx_member {
inline constexpr MemberPaths kFlags("flags"), kSlice("slice"), kDsqVtime("dsq_vtime");
inline constexpr MemberPaths kRunnableAt("runnable_at"), kRunnableNode("runnable_node");
inline constexpr MemberPaths kDsq("dsq"), kDsqFlags("dsq_flags");
inline constexpr MemberPaths kSched("sched");  // the struct scx_sched that owns the task, 7.1 on
// Under its first name in the patches for kernels before 6.12.
inline constexpr MemberPaths kDsqListNode("dsq_list.node", "dsq_node.list");
inline constexpr MemberPaths kDsqListFlags("dsq_list.flags");
inline constexpr MemberPaths kDsqPriq("dsq_priq", "dsq_node.priq");
}  // namespace scx_member

// What other tables show of a task beside its address.
struct TaskNameMembers : Fields {
  explicit TaskNameMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember pid = Need(task_member::kPid), comm = Need(task_member::kComm);
};

// The lists that lead to every task: leaders by init_task.tasks, the threads of each by its
// signal_struct.
struct TaskListMembers : Fields {
  explicit TaskListMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember tasks = Need("tasks"), thread_node = Need("thread_node"), signal = Need("signal");
};
struct SignalMembers : Fields {
  explicit SignalMembers(const Walk& walk) : Fields(walk, "signal_struct") {}
  MaybeMember thread_head = Need("thread_head");
};

// How a task stands in sched_ext's dispatch queues.
struct DsqNodeMembers : Fields {
  explicit DsqNodeMembers(const Walk& walk) : Fields(walk, kScxEntityStruct) {}
  MaybeMember list_node = Maybe(scx_member::kDsqListNode),
              list_flags = Maybe(scx_member::kDsqListFlags), priq = Maybe(scx_member::kDsqPriq);
};

// How it stands on the runnable list of its run queue, which the watchdog looks at.
struct RunnableMembers : Fields {
  explicit RunnableMembers(const Walk& walk) : Fields(walk, kScxEntityStruct) {}
  MaybeMember node = Maybe(scx_member::kRunnableNode), at = Maybe(scx_member::kRunnableAt);
  MaybeMember sched = Maybe(scx_member::kSched);
};

}  // namespace ktstr
