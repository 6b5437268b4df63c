#include "ktstr/walk/sched/scx_entity.h"

namespace ktstr {

namespace {

// A kernel without sched_ext has no clock to read for it.
KernelClock ClockFor(const Walk& walk, const MaybeMember& flags) {
  return flags ? ReadKernelClock(walk.kernel, walk.anomalies) : KernelClock();
}

uint64_t ValueIn(const EnumText& names, std::string_view name, uint64_t otherwise) {
  const auto value = names.ValueOf(name);
  return value ? static_cast<uint64_t>(*value) : otherwise;
}

}  // namespace

// What the kernel's enums do not tell is as 6.12 has it: include/linux/sched/ext.h, and enum
// scx_ops_state in kernel/sched/ext.c.
ScxEntities::ScxEntities(const Walk& walk)
    : walk_(walk),
      flag_names_(walk.types, {"scx_ent_flags"}, "SCX_TASK_",
                  {{"queued", 1},
                   {"reset_runnable_at", 4},
                   {"deqd_for_sleep", 8},
                   {"cursor", int64_t{1} << 31}}),
      states_(walk.types, {"scx_task_state"}, "SCX_TASK_",
              {{"none", 0}, {"init", 1}, {"ready", 2}, {"enabled", 3}}),
      dsq_flag_names_(walk.types, {"scx_ent_dsq_flags"}, "SCX_TASK_DSQ_", {{"on_priq", 1}}),
      ops_states_(walk.types, {"scx_ops_state"}, "SCX_OPSS_",
                  {{"none", 0}, {"queueing", 1}, {"queued", 2}, {"dispatching", 3}}),
      state_shift_(ValueIn(flag_names_, "state_shift", 8)),
      state_mask_(((uint64_t{1} << ValueIn(flag_names_, "state_bits", 2)) - 1) << state_shift_),
      queued_(ValueIn(flag_names_, "queued", 1)),
      ops_state_bits_(ValueIn(ops_states_, "qseq_shift", 2)) {
  Fields f(walk, "task_struct");
  flags_ = f.Maybe("scx.flags");
  clock_ = ClockFor(walk, flags_);
  if (!flags_) return;
  dsq_ = f.Need("scx.dsq");
  dsq_vtime_ = f.Need("scx.dsq_vtime");
  dsq_flags_ = f.Maybe("scx.dsq_flags");
  slice_ = f.Need("scx.slice");
  weight_ = f.Need("scx.weight");
  sticky_cpu_ = f.Need("scx.sticky_cpu");
  holding_cpu_ = f.Need("scx.holding_cpu");
  ops_state_ = f.Need("scx.ops_state.counter");
  runnable_at_ = f.Need("scx.runnable_at");
  dsq_id_ = Fields(walk, "scx_dispatch_q").Need("id");
}

void ScxEntities::Read(CellReader& task, TaskRow& row) {
  if (!flags_) return;
  if (const auto dsq = task.Pointer(dsq_); dsq && !dsq->is_null()) {
    CellReader queue(walk_, *dsq, "a task's dispatch queue");
    row.scx_dsq_id = queue.HexOf(dsq_id_);
  }
  row.scx_dsq_vtime = task.HexOf(dsq_vtime_);
  row.scx_slice_ns = task.Integer(slice_);
  row.scx_weight = task.Integer(weight_);
  row.scx_sticky_cpu = task.Integer(sticky_cpu_);
  row.scx_holding_cpu = task.Integer(holding_cpu_);
  row.scx_runnable_at = task.Integer(runnable_at_);
  ReadFlags(task, row);
  ReadOpsState(task, row);
}

void ScxEntities::ReadFlags(CellReader& task, TaskRow& row) {
  if (const auto dsq_flags = task.Unsigned(dsq_flags_)) {
    row.scx_dsq_flag_names = dsq_flag_names_.FlagsOf(*dsq_flags);
  }
  const auto flags = task.Unsigned(flags_);
  if (!flags) return;
  // The member has 32 bits, and some kernels' enum is signed.
  const uint64_t bits = *flags & 0xffffffff;
  row.scx_flags = Hex(bits);
  row.scx_flag_names = flag_names_.FlagsOf(bits, ~state_mask_);
  row.scx_state = states_.NameOf(static_cast<int64_t>((bits & state_mask_) >> state_shift_));
  const bool waits = (bits & queued_) != 0 && row.on_cpu == 0;
  if (waits && row.scx_runnable_at && clock_.jiffies && clock_.hz) {
    row.scx_waiting_ms = (*clock_.jiffies - *row.scx_runnable_at) * 1000 / *clock_.hz;
  }
}

void ScxEntities::ReadOpsState(CellReader& task, TaskRow& row) {
  const auto value = task.Unsigned(ops_state_);
  if (!value) return;
  const uint64_t mask = (uint64_t{1} << ops_state_bits_) - 1;
  row.scx_ops_state = ops_states_.NameOf(static_cast<int64_t>(*value & mask));
  row.scx_ops_qseq = static_cast<int64_t>(*value >> ops_state_bits_);
}

}  // namespace ktstr
