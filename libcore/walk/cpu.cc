#include "ktstr/walk/cpu.h"

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"

namespace ktstr {

namespace {

struct RqMembers {
  MaybeMember curr, nr_running, nr_switches, clock, cfs, rt, dl, scx, scx_flags;

  RqMembers(const TypeInfo& types, Anomalies& anomalies) {
    Fields f(types, "rq", anomalies);
    curr = f.Need("curr");
    nr_running = f.Need("nr_running");
    nr_switches = f.Need("nr_switches");
    clock = f.Need("clock");
    // Tasks in the whole hierarchy; renamed in 6.14 (7b8a702d9438).
    cfs = f.Need({"cfs.h_nr_queued", "cfs.h_nr_running"});
    rt = f.Need("rt.rt_nr_running");
    dl = f.Need("dl.dl_nr_running");
    scx = f.Maybe("scx.nr_running");
    scx_flags = f.Maybe("scx.flags");
  }
};

}  // namespace

const RowTable<CpuRow>& CpuRow::Table() {
  using R = CpuRow;
  static const RowTable<R> table(
      "cpu", "Every CPU that the kernel can have, with its run queue.",
      {
          Col<&R::cpu>("cpu", "", "Number, as the kernel counts."),
          Col<&R::online>("online", "", "1 when it is online."),
          Col<&R::curr_pid>("curr_pid", "", "Thread that its run queue runs; 0 is the idle task."),
          Col<&R::curr_comm>("curr_comm", "", "Name of that thread."),
          Col<&R::nr_running>("nr_running", "",
                              "Runnable tasks of all classes, the running one included."),
          Col<&R::nr_switches>("nr_switches", "", "Context switches since boot."),
          Col<&R::clock_ns>("clock_ns", "ns", "The run queue's clock when it was last updated."),
          Col<&R::cfs_nr_running>("cfs_nr_running", "", "Runnable fair tasks, in all groups."),
          Col<&R::rt_nr_running>("rt_nr_running", "", "Runnable real-time tasks."),
          Col<&R::dl_nr_running>("dl_nr_running", "", "Runnable deadline tasks."),
          Col<&R::scx_nr_running>("scx_nr_running", "", "Runnable sched_ext tasks."),
          Col<&R::scx_flags>("scx_flags", "", "sched_ext flags of the run queue, raw."),
          Col<&R::curr_kva>("curr_kva", "", "Address of the running thread's task_struct."),
          Col<&R::rq_kva>("rq_kva", "", "Address of the struct rq."),
      });
  return table;
}

Result<Walked<CpuRow>> WalkCpus(const GuestKernel& kernel) {
  Anomalies anomalies("cpu");
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  const RqMembers m(types, anomalies);
  Fields task_fields(types, "task_struct", anomalies);
  const MaybeMember pid = task_fields.Need("pid");
  const MaybeMember comm = task_fields.Need("comm");
  Walked<CpuRow> walked;
  for (const CpuRef& cpu : ListCpus(kernel, anomalies)) {
    CellReader rq(kernel, cpu.rq, "a run queue", anomalies);
    CpuRow row;
    row.cpu = cpu.cpu;
    if (cpu.online) row.online = *cpu.online ? 1 : 0;
    row.rq_kva = Hex(cpu.rq);
    if (const auto curr = rq.Pointer(m.curr); curr && !curr->is_null()) {
      row.curr_kva = Hex(*curr);
      CellReader task(kernel, *curr, "a run queue's current task", anomalies);
      row.curr_pid = task.Integer(pid);
      row.curr_comm = task.Text(comm);
    }
    row.nr_running = rq.Integer(m.nr_running);
    row.nr_switches = rq.Integer(m.nr_switches);
    row.clock_ns = rq.Integer(m.clock);
    row.cfs_nr_running = rq.Integer(m.cfs);
    row.rt_nr_running = rq.Integer(m.rt);
    row.dl_nr_running = rq.Integer(m.dl);
    row.scx_nr_running = rq.Integer(m.scx);
    row.scx_flags = rq.HexOf(m.scx_flags);
    walked.rows.push_back(std::move(row));
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
