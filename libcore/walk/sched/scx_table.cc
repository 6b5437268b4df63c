#include "libcore/walk/members/scx.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/scx.h"

namespace ktstr {

const RowTable<ScxRow>& ScxRow::Table() {
  using R = ScxRow;
  static const RowTable<R> table(
      "scx", "The kernel's sched_ext schedulers; up to 6.15 one row, even when none is loaded.",
      {
          Col<&R::scheduler>("scheduler", "", "Number in this table, 0 for the root scheduler."),
          Col<&R::level>("level", "", "0 for the root, deeper for sub-schedulers (7.1 on)."),
          Col<&R::parent>("parent", "", "Number of the scheduler whose sub-scheduler it is."),
          Col<&R::cgroup>("cgroup", "", "Cgroup that a sub-scheduler schedules."),
          ReadCol<&R::sub_attached>("sub_attached", "",
                                    "1 once its parent has taken a sub-scheduler in (7.1 on).",
                                    MaybeAt("sub_attached").Of(kScxSchedStruct)),
          Col<&R::form>("form", "",
                        "What its callbacks count CPUs by (7.2 on): cpu, their numbers, or cid, "
                        "numbers in order of topology."),
          Col<&R::ops_name>("ops_name", "",
                            "Name the scheduler gave itself; NULL: none is loaded."),
          Col<&R::enable_state>("enable_state", "", "enabling, enabled, disabling or disabled."),
          Col<&R::ops_flags>("ops_flags", "", "SCX_OPS_* flags it was loaded with."),
          Col<&R::switch_all>("switch_all", "", "1 when all fair tasks are its, too."),
          Col<&R::bypass_depth>("bypass_depth", "",
                                "Above 0 the kernel schedules in its stead, in order of arrival."),
          Col<&R::enable_seq>("enable_seq", "", "How many schedulers were enabled since boot."),
          Col<&R::nr_rejected>("nr_rejected", "", "Tasks that schedulers refused since boot."),
          Col<&R::hotplug_seq>("hotplug_seq", "", "CPUs that came or went since boot."),
          ReadCol<&R::timeout_ms>("timeout_ms", "ms",
                                  "Watchdog timeout it asked for; 0: the default.",
                                  MaybeAt("timeout_ms").Of(kScxOpsStruct)),
          ReadCol<&R::dispatch_max_batch>("dispatch_max_batch", "",
                                          "Tasks that one dispatch() may dispatch; 0: the default.",
                                          MaybeAt("dispatch_max_batch").Of(kScxOpsStruct)),
          Col<&R::watchdog_timeout_ms>("watchdog_timeout_ms", "ms",
                                       "How long a task may be runnable without running."),
          Col<&R::watchdog_timestamp>("watchdog_timestamp", "jiffies",
                                      "When the watchdog last looked."),
          Col<&R::watchdog_age_ms>("watchdog_age_ms", "ms", "How long ago that was."),
          Col<&R::oldest_runnable_pid>("oldest_runnable_pid", "",
                                       "Thread of its that has been runnable for longest."),
          Col<&R::oldest_waiting_ms>("oldest_waiting_ms", "ms", "Since when it has been runnable."),
          Col<&R::watchdog_margin_ms>("watchdog_margin_ms", "ms",
                                      "What is left until that is a stall; negative: overdue."),
          Col<&R::exit_kind>("exit_kind", "",
                             "none while it runs; else why it ends or ended: unreg, unreg_bpf, "
                             "unreg_kern, sysrq, parent, error, error_bpf, error_stall, done."),
          ReadCol<&R::exit_code>("exit_code", "", "Exit code of a scheduler that ended by itself.",
                                 MaybeAt("exit_code").Of("scx_exit_info")),
          Col<&R::exit_reason>("exit_reason", "", "The kind in the kernel's words."),
          Col<&R::exit_message>("exit_message", "", "What happened, in the kernel's words."),
          Col<&R::exit_backtrace>("exit_backtrace", "", "Stack of the error, a frame a line."),
          Col<&R::exit_dump>("exit_dump", "", "The kernel's own debug dump, as far as written."),
          Col<&R::sched_kva>("sched_kva", "", "Address of its struct scx_sched (6.16 on)."),
          Col<&R::ops_kva>("ops_kva", "", "Address of its struct sched_ext_ops."),
      });
  return table;
}

const RowTable<ScxOpRow>& ScxOpRow::Table() {
  using R = ScxOpRow;
  static const RowTable<R> table("scx_op", "The callbacks of each scheduler.",
                                 {
                                     Col<&R::scheduler>("scheduler", "", "Number in table scx."),
                                     Col<&R::op>("op", "", "Name in struct sched_ext_ops(_cid)."),
                                     Col<&R::set>("set", "", "1 when the scheduler has it."),
                                     Col<&R::prog_id>("prog_id", "", "BPF program behind it."),
                                     Col<&R::prog_name>("prog_name", "", "Name of that program."),
                                     Col<&R::address>("address", "", "Where the kernel calls it."),
                                 });
  return table;
}

const RowTable<ScxEventRow>& ScxEventRow::Table() {
  using R = ScxEventRow;
  static const RowTable<R> table(
      "scx_event", "Event counters of each scheduler (6.14 on), over all CPUs.",
      {
          Col<&R::scheduler>("scheduler", "", "Number in table scx."),
          Col<&R::event>("event", "", "Name, without SCX_EV_."),
          Col<&R::count>("count", "", "How often; of durations nanoseconds."),
      });
  return table;
}

}  // namespace ktstr
