// What sched_ext knows of a task: struct sched_ext_entity (include/linux/sched/ext.h), decoded.
#pragma once

#include <unordered_set>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/sched/scx_instance.h"
#include "libcore/walk/system/clock.h"
#include "libcore/walk/task/task.h"

namespace ktstr {

struct ScxEntityMembers : Fields {
  explicit ScxEntityMembers(const Walk& walk) : Fields(walk, kScxEntityStruct) {}
  MaybeMember flags = Maybe(scx_member::kFlags), dsq = Need(scx_member::kDsq),
              dsq_flags = Maybe("dsq_flags"), ops_state = Need("ops_state.counter"),
              runnable_at = Maybe(scx_member::kRunnableAt), sched = Maybe(scx_member::kSched);
};

class ScxEntities {
 public:
  // A kernel without sched_ext lacks nothing: then Decode does nothing.
  explicit ScxEntities(const Walk& walk);

  // Fills those of the columns scx_* of the task's row that are no copies.
  void Decode(CellReader& task, TaskRow& row);

 private:
  void DecodeFlags(CellReader& task, TaskRow& row);
  void DecodeOpsState(CellReader& task, TaskRow& row);

  Walk walk_;
  ScxEntityMembers entity_{walk_};
  DsqMembers queue_{walk_};
  MaybeMember on_cpu_ = Fields(walk_, kTaskStruct).Maybe(task_member::kOnCpu);
  std::optional<ScxNumbers> schedulers_;
  std::unordered_set<uint64_t> unknown_;  // what tasks name that is none of them
  KernelClock clock_;
  EnumText flag_names_, states_, dsq_flag_names_, ops_states_;
  uint64_t state_shift_, state_mask_, reenq_mask_, queued_, ops_state_bits_;
  bool states_among_flags_;
};

}  // namespace ktstr
