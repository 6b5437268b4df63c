// sched_ext's dispatch queues (struct scx_dispatch_q, include/linux/sched/ext.h) and schedulers
// (struct scx_sched, kernel/sched/ext_internal.h, 6.16 on): the members that several walkers or
// watch read. A kernel that has moved or renamed one is coped with here; one that has no such
// structure lacks nothing.
#pragma once

#include "libcore/walk/row/fields.h"

namespace ktstr {

inline constexpr Structure kDsqStruct{.name = "scx_dispatch_q", .optional = true};
inline constexpr Structure kScxSchedStruct{.name = "scx_sched", .optional = true};
inline constexpr Structure kScxOpsStruct{.name = "sched_ext_ops", .optional = true};
// Of schedulers that count CPUs by topology (7.2 on): members that are no functions stand where
// kScxOpsStruct has them (kernel/sched/ext/internal.h).
inline constexpr Structure kScxCidOpsStruct{.name = "sched_ext_ops_cid", .optional = true};

inline constexpr Structure kScxPcpuStruct{.name = "scx_sched_pcpu", .optional = true};

namespace dsq_member {
inline constexpr MemberPaths kId("id"), kNr("nr");
}  // namespace dsq_member
namespace ops_member {
inline constexpr MemberPaths kName("name");
}  // namespace ops_member

struct DsqMembers : Fields {
  explicit DsqMembers(const Walk& walk) : Fields(walk, kDsqStruct) {}
  MaybeMember id = Need(dsq_member::kId), nr = Need(dsq_member::kNr);
  MaybeMember list = Maybe("list"), priq = Maybe("priq");  // of its tasks, in order of either kind
};

struct ScxSchedMembers : Fields {
  explicit ScxSchedMembers(const Walk& walk) : Fields(walk, kScxSchedStruct) {}
  MaybeMember ops = Need("ops"), exit_kind = Need("exit_kind"), exit_info = Need("exit_info");
  MaybeMember dsq_hash = Need("dsq_hash");
  // Global queues by node: an array of pointers, or from 7.1 on in pnode.
  MaybeMember global_dsqs = Maybe("global_dsqs"), pnode = Maybe("pnode");
  // Per CPU: in 6.16 the event counters alone, from 6.18 on all that is in pcpu.
  MaybeMember event_stats_cpu = Maybe("event_stats_cpu"), pcpu = Maybe("pcpu");
  // Of sub-schedulers (7.1 on).
  MaybeMember level = Maybe("level"), children = Maybe("children"), sibling = Maybe("sibling"),
              cgrp_path = Maybe("cgrp_path"), bypass_depth = Maybe("bypass_depth"),
              watchdog_timeout = Maybe("watchdog_timeout");
  MaybeMember all = Maybe("all");  // its place on scx_sched_all
  // Whether ops holds a struct sched_ext_ops_cid (7.2 on).
  MaybeMember is_cid_type = Maybe("is_cid_type");
};

struct ScxSchedPcpuMembers : Fields {
  explicit ScxSchedPcpuMembers(const Walk& walk) : Fields(walk, kScxPcpuStruct) {}
  MaybeMember event_stats = Maybe("event_stats"), bypass_dsq = Maybe("bypass_dsq");
  MaybeMember flags = Maybe("flags");
  MaybeMember ecaps = Maybe("ecaps");  // what it may do there, of enum scx_cap_flags (7.3 on)
  // Masks of CPUs that this one is about to kick; up to 7.2 in rq.scx, for all schedulers at once.
  MaybeMember to_kick = Maybe("cpus_to_kick"), to_kick_if_idle = Maybe("cpus_to_kick_if_idle"),
              to_preempt = Maybe("cpus_to_preempt"), to_wait = Maybe("cpus_to_wait");
};

struct ScxSchedPnodeMembers : Fields {
  explicit ScxSchedPnodeMembers(const Walk& walk) : Fields(walk, "scx_sched_pnode") {}
  MaybeMember global_dsq = Maybe("global_dsq");
};

}  // namespace ktstr
