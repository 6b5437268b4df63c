// struct rq (kernel/sched/sched.h) and what sched_ext has in it (struct scx_rq): the members that
// several walkers, watch or ops read. A kernel that has moved or renamed one is coped with here;
// what is only copied into a column stands in table cpu.
#pragma once

#include "libcore/walk/row/fields.h"

namespace ktstr {

inline constexpr Structure kRqStruct{"rq"};
inline constexpr Structure kScxRqStruct{"rq", "scx"};  // offsets count from the run queue's begin

namespace rq_member {
inline constexpr MemberPaths kCurr("curr"), kIdle("idle"), kStop("stop"), kClock("clock"),
    kNrSwitches("nr_switches");
inline constexpr MemberPaths kScxFlags("flags"), kScxNrRunning("nr_running");  // of kScxRqStruct
}  // namespace rq_member

// The tasks that it names.
struct RqTaskMembers : Fields {
  explicit RqTaskMembers(const Walk& walk) : Fields(walk, kRqStruct) {}
  MaybeMember curr = Need(rq_member::kCurr), idle = Need(rq_member::kIdle),
              stop = Maybe(rq_member::kStop);
};

// Its queues of sched_ext's tasks.
struct ScxRqMembers : Fields {
  explicit ScxRqMembers(const Walk& walk) : Fields(walk, kScxRqStruct) {}
  MaybeMember local_dsq = Need("local_dsq"), runnable_list = Maybe("runnable_list");
  // Of bypass mode: in 7.0 here, from 7.1 on in scx_sched_pcpu.
  MaybeMember bypass_dsq = Maybe("bypass_dsq");
  // From 7.3 on, for tasks that a sub-scheduler may not run on this CPU: those that were turned
  // back, and those that the kernel runs in its stead.
  MaybeMember reject_dsq = Maybe("reject_dsq"), rescue_dsq = Maybe("rescue.dsq");
};

}  // namespace ktstr
