// Tasks: one row per thread, and one per CPU's idle task.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/columns_wanted.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct StackFrameRow;  // stack/stack.h

struct TaskRow {
  std::optional<int64_t> pid, tgid, ppid;
  std::optional<std::string> comm;
  std::optional<std::string> state;
  std::optional<int64_t> cpu, on_cpu, on_rq, throttled;
  std::optional<std::string> sched_class, sched_class_symbol;
  std::optional<int64_t> policy, prio, static_prio, normal_prio, rt_priority;
  std::optional<int64_t> start_time_ns, start_boottime_ns, utime_ns, stime_ns;
  std::optional<int64_t> nvcsw, nivcsw, nr_migrations, sum_exec_runtime_ns;
  std::optional<int64_t> last_arrival_ns, last_queued_ns, waiting_ns, run_delay_ns, pcount;
  std::optional<int64_t> vruntime, deadline, slice_ns;
  std::optional<Hex> flags, state_raw;
  std::optional<int64_t> is_kthread;
  std::optional<std::string> wchan;
  std::optional<std::string> affinity;
  std::optional<std::string> cgroup;
  std::optional<Hex> task_kva;
  std::optional<int64_t> scx_scheduler;
  std::optional<Hex> scx_dsq_id;
  std::optional<Hex> scx_dsq_vtime;
  std::optional<int64_t> scx_slice_ns, scx_weight;
  std::optional<Hex> scx_flags;
  std::optional<std::string> scx_state, scx_flag_names, scx_dsq_flag_names;
  std::optional<int64_t> scx_state_raw, scx_ops_state_raw;
  std::optional<Hex> scx_dsq_flags;
  std::optional<int64_t> migration_disabled;
  std::optional<int64_t> scx_sticky_cpu, scx_holding_cpu;
  std::optional<std::string> scx_ops_state;
  std::optional<int64_t> scx_ops_qseq;
  std::optional<int64_t> scx_runnable_at, scx_waiting_ms;

  static const RowTable<TaskRow>& Table();
  friend bool operator==(const TaskRow&, const TaskRow&) = default;
};

// All tasks, in the order of ListTasks. Errors: those of ListTasks; what cannot be read of one task
// is NULL in its row and an anomaly. The functions in which tasks sleep are found by walking all
// stacks; of a kernel whose stacks cannot be unwound they are unknown.
Result<Walked<TaskRow>> WalkTasks(const GuestKernel& kernel, const WalkLimits& limits = {});
// The same where the stacks have been walked already; `frames` as WalkStacks gives them. Only the
// column wchan is made of them. Columns that are not wanted may be unknown.
Result<Walked<TaskRow>> WalkTasks(const GuestKernel& kernel, std::span<const StackFrameRow> frames,
                                  const ColumnsWanted& wanted = {}, const WalkLimits& limits = {});

// The state letter that ps shows, from __state and exit_state.
char TaskStateLetter(uint32_t state, uint32_t exit_state);

}  // namespace ktstr
