// How the dump of sched_ext differs between kernels.
#pragma once

#include "libcore/image/type_info.h"

namespace ktstr {

// The kernel's functions and their lines, in the order of the dump: scx_dump_state() (head, CPUs,
// counters) and scx_dump_task(). What differs between kernels is asked of their types, as ever.
struct ScxDumpLayout {
  // 6.14 on: counters are dumped, slice and weight with them, and ops_qseq of CPUs.
  bool has_events = false;
  bool has_ops_qseq = false;
  bool has_rescue = false;       // 7.3 on
  bool names_scheduler = false;  // 7.1 on: whose dump it is, and whose each task
  bool has_kick_sync = false;    // 6.18 on: "ksync" for "pnt_seq"

  explicit ScxDumpLayout(const TypeInfo& types)
      : has_events(types.FindStruct("scx_event_stats").has_value()),
        has_ops_qseq(has_events && types.FindMember("scx_rq", "ops_qseq").has_value()),
        has_rescue(types.FindMember("scx_rq", "rescue").has_value()),
        names_scheduler(types.FindMember("scx_sched", "level").has_value()),
        has_kick_sync(types.FindMember("scx_rq", "kick_sync").has_value()) {}
};

}  // namespace ktstr
