// What sched_ext knows of a task: struct sched_ext_entity (include/linux/sched/ext.h), decoded.
#pragma once

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/clock.h"
#include "ktstr/walk/enum_text.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/task.h"

namespace ktstr {

class ScxEntities {
 public:
  // A kernel without sched_ext lacks nothing: then Read does nothing.
  explicit ScxEntities(const Walk& walk);

  // Fills the columns scx_* of the task's row; `row.on_cpu` is known by then.
  void Read(CellReader& task, TaskRow& row);

 private:
  void ReadFlags(CellReader& task, TaskRow& row);
  void ReadOpsState(CellReader& task, TaskRow& row);

  Walk walk_;
  KernelClock clock_;
  MaybeMember dsq_, dsq_vtime_, dsq_flags_, slice_, weight_, flags_, sticky_cpu_, holding_cpu_,
      ops_state_, runnable_at_, dsq_id_;
  EnumText flag_names_, states_, dsq_flag_names_, ops_states_;
  uint64_t state_shift_, state_mask_, queued_, ops_state_bits_;
};

}  // namespace ktstr
