#include "libcore/walk/cpu/cpu.h"

#include <algorithm>

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"

namespace ktstr {

namespace {

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
  const RowReader<CpuRow> columns(walk);
  const TaskNameMembers task_name(walk);
  const CpuDetails details(walk);
  Walked<CpuRow> walked;
  for (const CpuRef& cpu : ListCpus(walk)) {
    CellReader rq(walk, cpu.rq, "a run queue");
    CpuRow row;
    row.cpu = cpu.cpu;
    if (cpu.online) row.online = *cpu.online ? 1 : 0;
    row.rq_kva = Hex(cpu.rq);
    columns.Read(rq, row);
    if (row.curr_kva) {
      CellReader task(walk, Kva(row.curr_kva->value), "a run queue's current task");
      row.curr_pid = task.Integer(task_name.pid);
      row.curr_comm = task.Text(task_name.comm);
    }
    row.donor_pid = PidAt(walk, row.donor_kva, task_name.pid);
    row.idle_pid = PidAt(walk, row.idle_kva, task_name.pid);
    row.stop_pid = PidAt(walk, row.stop_kva, task_name.pid);
    details.FillTick(cpu.cpu, row);
    details.FillSchedstat(rq, row.schedstat);
    details.FillScx(rq, cpu.cpu, row.scx);
    walked.rows.push_back(std::move(row));
  }
  CompareClocks(walked.rows);
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
