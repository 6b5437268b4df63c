#include "ktstr/walk/task.h"

namespace ktstr {

const RowTable<TaskRow>& TaskRow::Table() {
  using R = TaskRow;
  static const RowTable<R> table(
      "task", "Every thread, and the idle task of each CPU (pid 0).",
      {
          Col<&R::pid>("pid", "", "Thread id; 0 for idle tasks."),
          Col<&R::tgid>("tgid", "", "Process id (thread group)."),
          Col<&R::ppid>("ppid", "", "Process id of the parent."),
          Col<&R::comm>("comm", "", "Name, at most 15 characters."),
          Col<&R::state>("state", "", "State as ps shows it: R, S, D, T, t, X, Z, P, I."),
          Col<&R::cpu>("cpu", "", "CPU it runs on or ran on last."),
          Col<&R::on_cpu>("on_cpu", "", "1 while it is executing (or being switched)."),
          Col<&R::on_rq>("on_rq", "", "0 not queued, 1 queued, 2 migrating."),
          Col<&R::sched_class>("class", "", "Scheduling class: fair, rt, dl, ext, idle, stop."),
          Col<&R::sched_class_symbol>("class_symbol", "",
                                      "The symbol that its sched_class points to."),
          Col<&R::policy>(
              "policy", "",
              "SCHED_* number: 0 normal, 1 fifo, 2 rr, 3 batch, 5 idle, 6 deadline, 7 ext."),
          Col<&R::prio>("prio", "", "Effective priority: 0 to 99 real-time, 100 to 139 fair."),
          Col<&R::static_prio>("static_prio", "", "120 + nice."),
          Col<&R::normal_prio>("normal_prio", "", "Priority without inheritance."),
          Col<&R::rt_priority>("rt_priority", "",
                               "Real-time priority, 1 to 99; 0 when not real-time."),
          Col<&R::start_time_ns>("start_time_ns", "ns", "Start, monotonic clock."),
          Col<&R::start_boottime_ns>("start_boottime_ns", "ns",
                                     "Start, since boot (suspend counted)."),
          Col<&R::utime_ns>("utime_ns", "ns", "CPU time in user mode, as the kernel counted it."),
          Col<&R::stime_ns>("stime_ns", "ns", "CPU time in kernel mode, as the kernel counted it."),
          Col<&R::nvcsw>("nvcsw", "", "Voluntary context switches."),
          Col<&R::nivcsw>("nivcsw", "", "Involuntary context switches."),
          Col<&R::sum_exec_runtime_ns>("sum_exec_runtime_ns", "ns",
                                       "Time on a CPU, by the scheduler's clock."),
          Col<&R::last_arrival_ns>("last_arrival_ns", "ns",
                                   "When it got a CPU last, by that CPU's run queue clock."),
          Col<&R::last_queued_ns>("last_queued_ns", "ns",
                                  "Since when it waits for a CPU, by that clock; NULL when it does "
                                  "not wait."),
          Col<&R::waiting_ns>("waiting_ns", "ns",
                              "How long it has waited for a CPU, by the run queue clock that was "
                              "updated last."),
          Col<&R::run_delay_ns>("run_delay_ns", "ns", "Time it ever waited for a CPU."),
          Col<&R::timeslices>("pcount", "", "How often it got a CPU."),
          Col<&R::vruntime>("vruntime", "ns", "Virtual runtime of its fair entity."),
          Col<&R::deadline>("deadline", "ns",
                            "Virtual deadline of its fair entity (EEVDF, 6.6 on)."),
          Col<&R::slice_ns>("slice_ns", "ns",
                            "Requested slice of its fair entity (EEVDF, 6.6 on)."),
          Col<&R::flags>("flags", "", "PF_* flags."),
          Col<&R::state_raw>("state_raw", "", "__state as the kernel has it."),
          Col<&R::is_kthread>("is_kthread", "", "1 for kernel threads."),
          Col<&R::wait_channel>("wchan", "",
                                "Function in which it sleeps, as /proc/PID/wchan; NULL for tasks "
                                "that do not sleep."),
          Col<&R::affinity>("affinity", "", "CPUs it may use, as a list."),
          Col<&R::cgroup>("cgroup", "", "Path of its cgroup (v2)."),
          Col<&R::task_kva>("task_kva", "", "Address of its task_struct."),
          Col<&R::scx_dsq_id>("scx_dsq_id", "", "sched_ext: the dispatch queue it stands in."),
          Col<&R::scx_dsq_vtime>("scx_dsq_vtime", "",
                                 "sched_ext: its key in a vtime-ordered queue."),
          Col<&R::scx_slice_ns>("scx_slice_ns", "ns", "sched_ext: what is left of its slice."),
          Col<&R::scx_weight>("scx_weight", "", "sched_ext: weight, 1 to 10000."),
          Col<&R::scx_flags>("scx_flags", "", "sched_ext: entity flags, raw."),
          Col<&R::scx_state>("scx_state", "",
                             "sched_ext: none, init, ready or enabled (the scheduler has it)."),
          Col<&R::scx_flag_names>("scx_flag_names", "", "sched_ext: the flags by name."),
          Col<&R::scx_dsq_flag_names>("scx_dsq_flag_names", "",
                                      "sched_ext: how it stands in its queue, by name."),
          Col<&R::scx_sticky_cpu>("scx_sticky_cpu", "",
                                  "sched_ext: CPU on which it must be enqueued; -1 for none."),
          Col<&R::scx_holding_cpu>("scx_holding_cpu", "",
                                   "sched_ext: CPU that is moving it; -1 for none."),
          Col<&R::scx_ops_state>(
              "scx_ops_state", "",
              "sched_ext: whose it is: none (the kernel's), queueing, queued (the scheduler's), "
              "dispatching."),
          Col<&R::scx_ops_qseq>("scx_ops_qseq", "",
                                "sched_ext: number of the enqueueing that ops_state tells of."),
          Col<&R::scx_runnable_at>("scx_runnable_at", "jiffies",
                                   "sched_ext: since when it is runnable."),
          Col<&R::scx_waiting_ms>("scx_waiting_ms", "ms",
                                  "sched_ext: how long it has been runnable without running."),
      });
  return table;
}

}  // namespace ktstr
