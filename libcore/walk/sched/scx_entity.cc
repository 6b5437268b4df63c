#include "libcore/walk/sched/scx_entity.h"

namespace ktstr {

namespace {

uint64_t ValueIn(const EnumText& names, std::string_view name, uint64_t otherwise) {
  const auto value = names.ValueOf(name);
  return value ? static_cast<uint64_t>(*value) : otherwise;
}

}  // namespace

// What the kernel's enums do not tell is as 6.12 has it: include/linux/sched/ext.h, and enum
// scx_ops_state in kernel/sched/ext.c. From 7.1 on the states are enumerators of the flags, in the
// place that they have there, and so are the reasons for which a task is enqueued again.
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
      reenq_mask_(ValueIn(flag_names_, "reenq_reason_mask", 0)),
      queued_(ValueIn(flag_names_, "queued", 1)),
      ops_state_bits_(ValueIn(ops_states_, "qseq_shift", 2)),
      states_among_flags_(flag_names_.ValueOf("ready").has_value()) {
  if (entity_.flags) clock_ = ReadKernelClock(walk.kernel, walk.anomalies);
  // What is wrong with the schedulers is told by table scx.
  Anomalies elsewhere("scx");
  if (entity_.sched) schedulers_.emplace(walk.NotingIn(elsewhere));
}

void ScxEntities::Decode(CellReader& task, TaskRow& row) {
  if (!entity_.flags) return;
  if (const auto dsq = task.Pointer(entity_.dsq); dsq && !dsq->is_null()) {
    row.scx_dsq_id = CellReader(walk_, *dsq, "a task's dispatch queue").HexOf(queue_.id);
  }
  if (const auto sched = task.Pointer(entity_.sched); sched && !sched->is_null()) {
    row.scx_scheduler = schedulers_->Of(*sched);
    if (!row.scx_scheduler && unknown_.insert(sched->value()).second) {
      walk_.anomalies.Add("damage", *sched,
                          "the scheduler of a task, which is none of those known");
    }
  }
  if (const auto dsq_flags = task.Unsigned(entity_.dsq_flags)) {
    row.scx_dsq_flag_names = dsq_flag_names_.FlagsOf(*dsq_flags);
  }
  DecodeFlags(task, row);
  DecodeOpsState(task, row);
}

void ScxEntities::DecodeFlags(CellReader& task, TaskRow& row) {
  // Without a sign, which the enum has in some kernels.
  const auto flags = task.HexOf(entity_.flags);
  if (!flags) return;
  const uint64_t bits = flags->value;
  row.scx_flag_names = flag_names_.FlagsOf(bits, ~(state_mask_ | reenq_mask_));
  if (const uint64_t reason = bits & reenq_mask_; reason != 0) {
    *row.scx_flag_names +=
        (row.scx_flag_names->empty() ? "" : "|") + flag_names_.NameOf(static_cast<int64_t>(reason));
  }
  const uint64_t state = bits & state_mask_;
  row.scx_state_raw = static_cast<int64_t>(state >> state_shift_);
  row.scx_state = states_among_flags_ ? flag_names_.NameOf(static_cast<int64_t>(state))
                                      : states_.NameOf(static_cast<int64_t>(state >> state_shift_));
  const auto runnable_at = task.Integer(entity_.runnable_at);
  const bool waits = (bits & queued_) != 0 && task.Integer(on_cpu_) == 0;
  if (waits && runnable_at) row.scx_waiting_ms = clock_.MsSince(*runnable_at);
}

void ScxEntities::DecodeOpsState(CellReader& task, TaskRow& row) {
  const auto value = task.Unsigned(entity_.ops_state);
  if (!value) return;
  const uint64_t mask = (uint64_t{1} << ops_state_bits_) - 1;
  row.scx_ops_state = ops_states_.NameOf(static_cast<int64_t>(*value & mask));
  row.scx_ops_state_raw = static_cast<int64_t>(*value & mask);
  row.scx_ops_qseq = static_cast<int64_t>(*value >> ops_state_bits_);
}

}  // namespace ktstr
