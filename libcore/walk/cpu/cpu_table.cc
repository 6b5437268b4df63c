#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/row/row_reader.h"

namespace ktstr {

const RowTable<CpuRow>& CpuRow::Table() {
  using R = CpuRow;
  static const RowTable<R> table(
      "cpu", "Every CPU that the kernel can have, with its run queue.", kRqStruct,
      {
          Col<&R::cpu>("cpu", "", "Number, as the kernel counts."),
          Col<&R::online>("online", "", "1 when it is online."),
          Col<&R::curr_pid>("curr_pid", "", "Thread that its run queue runs; 0 is the idle task."),
          Col<&R::curr_comm>("curr_comm", "", "Name of that thread."),
          ReadCol<&R::nr_running>("nr_running", "",
                                  "Runnable tasks of all classes, the running one included.",
                                  At("nr_running")),
          ReadCol<&R::nr_switches>("nr_switches", "", "Context switches since boot.",
                                   At(rq_member::kNrSwitches)),
          ReadCol<&R::clock_ns>("clock_ns", "ns", "The run queue's clock when it was last updated.",
                                At(rq_member::kClock)),
          ReadCol<&R::cfs_nr_running>(
              "cfs_nr_running", "",
              "Runnable fair tasks, in all groups.",  // Tasks in the whole hierarchy; renamed
                                                      // in 6.14 (7b8a702d9438).
              At("cfs.h_nr_queued", "cfs.h_nr_running")),
          ReadCol<&R::rt_nr_running>("rt_nr_running", "", "Runnable real-time tasks.",
                                     At("rt.rt_nr_running")),
          ReadCol<&R::dl_nr_running>("dl_nr_running", "", "Runnable deadline tasks.",
                                     At("dl.dl_nr_running")),
          ReadCol<&R::scx_nr_running>("scx_nr_running", "", "Runnable sched_ext tasks.",
                                      MaybeAt(rq_member::kScxNrRunning).Of(kScxRqStruct)),
          ReadCol<&R::scx_flags>("scx_flags", "", "sched_ext flags of the run queue, raw.",
                                 MaybeAt(rq_member::kScxFlags).Of(kScxRqStruct)),
          ReadCol<&R::curr_kva>("curr_kva", "", "Address of the running thread's task_struct.",
                                At(rq_member::kCurr).Unless(0)),
          Col<&R::rq_kva>("rq_kva", "", "Address of the struct rq."),
          Col<&R::idle_pid>("idle_pid", "", "Its idle task: 0."),
          Col<&R::stop_pid>("stop_pid", "", "Its stop task, which preempts everything."),
          ReadCol<&R::idle_kva>("idle_kva", "", "Address of the idle task's task_struct.",
                                At(rq_member::kIdle)),
          ReadCol<&R::stop_kva>("stop_kva", "", "Address of the stop task's task_struct.",
                                MaybeAt(rq_member::kStop)),
          ReadCol<&R::clock_task_ns>(
              "clock_task_ns", "ns",
              "The same clock without time that interrupts and the host took.",
              MaybeAt("clock_task")),
          Col<&R::clock_behind_ns>("clock_behind_ns", "ns",
                                   "How far the clock is behind that of the CPU updated last; an "
                                   "idle CPU's stands still. NULL when offline."),
          Col<&R::donor_pid>(
              "donor_pid", "",
              "Thread that the scheduler has picked; another one than curr_pid where "
              "that runs in its place, to let go of a lock (proxy execution)."),
          ReadCol<&R::donor_kva>("donor_kva", "", "Address of its task_struct.",
                                 MaybeAt("donor").Unless(0)),
          // Deadline servers came in 6.8, that of sched_ext later.
          ReadSub<&R::fair_server, &CpuServer::runtime_ns>(
              "fair_server_runtime_ns", "ns",
              "Deadline server: time in each period that fair tasks get even if others have the "
              "CPU.",
              MaybeAt("fair_server.dl_runtime")),
          ReadSub<&R::fair_server, &CpuServer::period_ns>(
              "fair_server_period_ns", "ns", "That period.", MaybeAt("fair_server.dl_period")),
          ReadSub<&R::fair_server, &CpuServer::left_ns>(
              "fair_server_left_ns", "ns", "What is left of that time; negative: overrun.",
              MaybeAt("fair_server.runtime")),
          ReadSub<&R::fair_server, &CpuServer::active>("fair_server_active", "",
                                                       "1 while it is started.",
                                                       MaybeAt("fair_server.dl_server_active")),
          ReadSub<&R::ext_server, &CpuServer::runtime_ns>("ext_server_runtime_ns", "ns",
                                                          "The same for tasks of sched_ext.",
                                                          MaybeAt("ext_server.dl_runtime")),
          ReadSub<&R::ext_server, &CpuServer::period_ns>(
              "ext_server_period_ns", "ns", "That period.", MaybeAt("ext_server.dl_period")),
          ReadSub<&R::ext_server, &CpuServer::left_ns>("ext_server_left_ns", "ns",
                                                       "What is left of that time.",
                                                       MaybeAt("ext_server.runtime")),
          ReadSub<&R::ext_server, &CpuServer::active>("ext_server_active", "",
                                                      "1 while it is started.",
                                                      MaybeAt("ext_server.dl_server_active")),
          ReadSub<&R::load, &CpuLoad::load_avg>("load_avg", "", "Load of its fair tasks, PELT.",
                                                MaybeAt("cfs.avg.load_avg")),
          ReadSub<&R::load, &CpuLoad::runnable_avg>("runnable_avg", "",
                                                    "Runnable fair tasks, PELT; 1024 is one task.",
                                                    MaybeAt("cfs.avg.runnable_avg")),
          ReadSub<&R::load, &CpuLoad::util_avg>(
              "util_avg", "", "How busy fair tasks keep it, PELT; 1024 is always.",
              MaybeAt("cfs.avg.util_avg")),
          ReadSub<&R::load, &CpuLoad::capacity>("capacity", "",
                                                "Capacity left for fair tasks; at most 1024.",
                                                MaybeAt("cpu_capacity")),
          ReadSub<&R::load, &CpuLoad::nr_uninterruptible>(
              "nr_uninterruptible", "",
              "Tasks that went to sleep uninterruptibly here less those woken here; only the sum "
              "over all CPUs has a meaning.",
              MaybeAt("nr_uninterruptible")),
          ReadSub<&R::load, &CpuLoad::nr_iowait>("nr_iowait", "", "Tasks that wait for I/O.",
                                                 MaybeAt("nr_iowait.counter")),
          Sub<&R::tick, &CpuTick::stopped>("tick_stopped", "",
                                           "1 while it has no periodic tick (nohz)."),
          Sub<&R::tick, &CpuTick::in_idle>("tick_in_idle", "", "1 while the tick knows it idle."),
          ReadSub<&R::tick, &CpuTick::idle_calls>("idle_calls", "",
                                                  "How often it tried to stop the tick.",
                                                  MaybeAt("idle_calls").Of("tick_sched")),
          ReadSub<&R::tick, &CpuTick::idle_sleeps>("idle_sleeps", "", "How often it stopped it.",
                                                   MaybeAt("idle_sleeps").Of("tick_sched")),
          ReadSub<&R::tick, &CpuTick::idle_entry_ns>("idle_entry_ns", "ns",
                                                     "When it went idle last, monotonic clock.",
                                                     MaybeAt("idle_entrytime").Of("tick_sched")),
          ReadSub<&R::tick, &CpuTick::nohz_flags>("nohz_flags", "",
                                                  "NOHZ_* balancing flags asked of it, raw.",
                                                  MaybeAt("nohz_flags.counter")),
          Sub<&R::schedstat, &CpuSchedstat::yld_count>(
              "yld_count", "", "Calls of sched_yield; NULL while schedstats are off."),
          Sub<&R::schedstat, &CpuSchedstat::sched_count>(
              "sched_count", "", "Calls of schedule; NULL while schedstats are off."),
          Sub<&R::schedstat, &CpuSchedstat::sched_goidle>(
              "sched_goidle", "",
              "Calls of schedule that left it idle; NULL while schedstats are off."),
          Sub<&R::schedstat, &CpuSchedstat::ttwu_count>(
              "ttwu_count", "", "Wake-ups of its tasks; NULL while schedstats are off."),
          Sub<&R::schedstat, &CpuSchedstat::ttwu_local>(
              "ttwu_local", "", "Of these, by this CPU itself; NULL while schedstats are off."),
          ReadSub<&R::schedstat, &CpuSchedstat::rq_cpu_time_ns>(
              "rq_cpu_time_ns", "ns", "Time that tasks ran on it.", MaybeAt("rq_cpu_time")),
          ReadSub<&R::schedstat, &CpuSchedstat::run_delay_ns>("run_delay_ns", "ns",
                                                              "Time that tasks waited for it.",
                                                              MaybeAt("rq_sched_info.run_delay")),
          ReadSub<&R::schedstat, &CpuSchedstat::pcount>("pcount", "", "Times a task got it.",
                                                        MaybeAt("rq_sched_info.pcount")),
          Sub<&R::scx, &CpuScx::flag_names>("scx_flag_names", "",
                                            "sched_ext flags of the run queue by name."),
          Sub<&R::scx, &CpuScx::to_kick>(
              "scx_to_kick", "",
              "sched_ext: CPUs that this one is about to kick, for whichever scheduler."),
          Sub<&R::scx, &CpuScx::to_kick_if_idle>("scx_to_kick_if_idle", "",
                                                 "sched_ext: the same, only those that idle."),
          Sub<&R::scx, &CpuScx::to_preempt>("scx_to_preempt", "",
                                            "sched_ext: kicked CPUs that are to be preempted."),
          Sub<&R::scx, &CpuScx::to_wait>("scx_to_wait", "",
                                         "sched_ext: kicked CPUs whose next switch is waited for."),
          ReadSub<&R::scx, &CpuScx::cpu_released>("scx_cpu_released", "",
                                                  "sched_ext: 1 while a higher class has the CPU.",
                                                  MaybeAt("cpu_released").Of(kScxRqStruct)),
          ReadSub<&R::scx, &CpuScx::pnt_seq>("scx_pnt_seq", "",
                                             "sched_ext: how often a next task was picked.",
                                             MaybeAt("pnt_seq", "kick_sync").Of(kScxRqStruct)),
          ReadSub<&R::scx, &CpuScx::cpuperf_target>(
              "scx_cpuperf_target", "", "sched_ext: performance asked for; 1024 is full.",
              MaybeAt("cpuperf_target").Of(kScxRqStruct)),
          Sub<&R::scx, &CpuScx::to_sync>(
              "scx_to_sync", "",
              "sched_ext: kicked CPUs that this one waits for, until they have switched (7.1 on)."),
          ReadSub<&R::scx, &CpuScx::ops_qseq>(
              "scx_ops_qseq", "", "sched_ext: number of the last enqueueing on it (up to 7.2).",
              MaybeAt("ops_qseq").Of(kScxRqStruct)),
      });
  return table;
}

}  // namespace ktstr
