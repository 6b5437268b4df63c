#include "ktstr/walk/cpu.h"

#include <algorithm>

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"

namespace ktstr {

namespace {

struct RqMembers {
  MaybeMember curr, idle, stop, clock_task, nr_running, nr_switches, clock, cfs, rt, dl, scx,
      scx_flags;

  explicit RqMembers(const Walk& walk) {
    Fields f(walk, "rq");
    curr = f.Need("curr");
    idle = f.Need("idle");
    stop = f.Maybe("stop");
    clock_task = f.Maybe("clock_task");
    nr_running = f.Need("nr_running");
    nr_switches = f.Need("nr_switches");
    clock = f.Need("clock");
    // Tasks in the whole hierarchy; renamed in 6.14 (7b8a702d9438).
    cfs = f.Need("cfs.h_nr_queued", "cfs.h_nr_running");
    rt = f.Need("rt.rt_nr_running");
    dl = f.Need("dl.dl_nr_running");
    scx = f.Maybe("scx.nr_running");
    scx_flags = f.Maybe("scx.flags");
  }
};

std::optional<int64_t> PidAt(const Walk& walk, std::optional<Hex> task, const MaybeMember& pid) {
  if (!task || task->value == 0) return std::nullopt;
  return CellReader(walk, Kva(task->value), "a run queue's own task").Integer(pid);
}

// A run queue's clock moves only when it is used: how far it is behind the one used last.
void CompareClocks(std::vector<CpuRow>& rows) {
  int64_t latest = 0;
  for (const CpuRow& row : rows) latest = std::max(latest, row.clock_ns.value_or(0));
  for (CpuRow& row : rows) {
    if (row.clock_ns && row.online != 0) row.clock_behind_ns = latest - *row.clock_ns;
  }
}

}  // namespace

Result<Walked<CpuRow>> WalkCpus(const GuestKernel& kernel) {
  Anomalies anomalies("cpu");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  const RqMembers m(walk);
  Fields task_fields(walk, "task_struct");
  const MaybeMember pid = task_fields.Need("pid");
  const MaybeMember comm = task_fields.Need("comm");
  const CpuDetails details(walk);
  Walked<CpuRow> walked;
  for (const CpuRef& cpu : ListCpus(walk)) {
    CellReader rq(walk, cpu.rq, "a run queue");
    CpuRow row;
    row.cpu = cpu.cpu;
    if (cpu.online) row.online = *cpu.online ? 1 : 0;
    row.rq_kva = Hex(cpu.rq);
    if (const auto curr = rq.Pointer(m.curr); curr && !curr->is_null()) {
      row.curr_kva = Hex(*curr);
      CellReader task(walk, *curr, "a run queue's current task");
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
    row.clock_task_ns = rq.Integer(m.clock_task);
    row.idle_kva = rq.HexOf(m.idle);
    row.idle_pid = PidAt(walk, row.idle_kva, pid);
    row.stop_kva = rq.HexOf(m.stop);
    row.stop_pid = PidAt(walk, row.stop_kva, pid);
    row.load = details.Load(rq);
    row.tick = details.Tick(rq, cpu.cpu);
    row.schedstat = details.Schedstat(rq);
    row.scx = details.Scx(rq);
    walked.rows.push_back(std::move(row));
  }
  CompareClocks(walked.rows);
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
