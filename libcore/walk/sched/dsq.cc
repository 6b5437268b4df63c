#include "libcore/walk/sched/dsq.h"

#include <fmt/format.h>

#include <unordered_map>

#include "libcore/walk/container/rhashtable.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/dsq_tasks.h"
#include "libcore/walk/sched/scx_instance.h"
#include "libcore/walk/system/clock.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

namespace {

class DsqWalker {
 public:
  explicit DsqWalker(const Walk& walk)
      : walk_(walk),
        identities_(walk),
        tasks_(walk),
        clock_(ReadKernelClock(walk.kernel, walk.anomalies)) {}

  DsqState Run() {
    const std::vector<CpuRef> cpus = ListCpus(walk_);
    for (const CpuRef& cpu : cpus) {
      if (rq_.local_dsq) Add(cpu.rq + rq_.local_dsq->offset, {.kind = "local", .cpu = cpu.cpu});
      if (rq_.bypass_dsq) Add(cpu.rq + rq_.bypass_dsq->offset, {.kind = "bypass", .cpu = cpu.cpu});
      if (rq_.reject_dsq) Add(cpu.rq + rq_.reject_dsq->offset, {.kind = "reject", .cpu = cpu.cpu});
      if (rq_.rescue_dsq) Add(cpu.rq + rq_.rescue_dsq->offset, {.kind = "rescue", .cpu = cpu.cpu});
    }
    int64_t scheduler = 0;
    for (const ScxInstance& instance : ListScxInstances(walk_)) {
      AddInstance(instance, scheduler++, cpus);
    }
    return std::move(state_);
  }

 private:
  void AddInstance(const ScxInstance& instance, int64_t scheduler,
                   const std::vector<CpuRef>& cpus) {
    for (const NodeDsq& global : instance.global_dsqs) {
      Add(global.dsq, {.kind = "global", .scheduler = scheduler, .node = global.node});
    }
    if (instance.dsq_hash) {
      for (const Kva dsq : WalkRhashtable(walk_, *instance.dsq_hash, "dsq_hash")) {
        Add(dsq, {.kind = "user", .scheduler = scheduler});
      }
    }
    if (!instance.sched || !sched_.pcpu || !pcpu_.bypass_dsq) return;
    CellReader sched(walk_, *instance.sched, "a scheduler");
    const auto pcpu = sched.Pointer(sched_.pcpu);
    if (!pcpu || pcpu->is_null()) return;
    for (const CpuRef& cpu : cpus) {
      const auto area = walk_.kernel.PerCpu(*pcpu, cpu.cpu);
      if (!area) continue;
      Add(*area + pcpu_.bypass_dsq->offset,
          {.kind = "bypass", .scheduler = scheduler, .cpu = cpu.cpu});
    }
  }

  void Add(Kva dsq, DsqRow row) {
    CellReader queue(walk_, dsq, "a dispatch queue");
    row.dsq_kva = Hex(dsq);
    of_queue_.Read(queue, row);
    if (queue.failed()) {
      state_.dsqs.push_back(std::move(row));
      return;
    }
    const std::string name = NameOf(row);
    const std::vector<Kva> listed = tasks_.InListOrder(dsq, name);
    const std::vector<Kva> by_vtime = tasks_.InVtimeOrder(dsq, name);
    std::unordered_map<uint64_t, size_t> row_of;
    for (const Kva task : listed) {
      row_of.emplace(task.value(), state_.tasks.size());
      DsqTaskRow entry = NewRow(row, task);
      entry.position = row.listed++;
      state_.tasks.push_back(std::move(entry));
    }
    for (const Kva task : by_vtime) {
      const auto found = row_of.find(task.value());
      if (found != row_of.end()) {
        state_.tasks[found->second].vtime_position = row.by_vtime++;
        continue;
      }
      walk_.anomalies.Add("damage", task,
                          fmt::format("{}: a task in vtime order that is not on the list", name));
      DsqTaskRow entry = NewRow(row, task);
      entry.vtime_position = row.by_vtime++;
      state_.tasks.push_back(std::move(entry));
    }
    if (row.by_vtime != 0 && row.by_vtime != row.listed) {
      walk_.anomalies.Add("damage", dsq,
                          fmt::format("{}: {} tasks on the list, {} in vtime order", name,
                                      row.listed, row.by_vtime));
    }
    if (row.nr && *row.nr != row.listed) {
      walk_.anomalies.Add(
          "count", dsq,
          fmt::format("{}: counts {} tasks, its list has {}", name, *row.nr, row.listed));
    }
    state_.dsqs.push_back(std::move(row));
  }

  static std::string NameOf(const DsqRow& row) {
    if (row.cpu) return fmt::format("{} DSQ of CPU {}", row.kind, *row.cpu);
    if (row.node) return fmt::format("{} DSQ of node {}", row.kind, *row.node);
    return fmt::format("DSQ {:#x}", row.dsq_id->value);
  }

  DsqTaskRow NewRow(const DsqRow& dsq, Kva task) {
    DsqTaskRow row;
    row.dsq_id = dsq.dsq_id;
    row.scheduler = dsq.scheduler;
    row.cpu = dsq.cpu;
    row.node = dsq.node;
    row.dsq_kva = dsq.dsq_kva;
    row.task_kva = Hex(task);
    TaskIdentity identity = identities_.Of(task);
    row.pid = identity.pid;
    row.comm = std::move(identity.comm);
    CellReader object(walk_, task, "a task in a dispatch queue");
    of_task_.Read(object, row);
    const auto runnable_at = object.Integer(runnable_at_);
    if (runnable_at) row.waiting_ms = clock_.MsSince(*runnable_at);
    return row;
  }

  Walk walk_;
  ScxRqMembers rq_{walk_};
  ScxSchedMembers sched_{walk_};
  ScxSchedPcpuMembers pcpu_{walk_};
  RowReader<DsqRow> of_queue_{walk_};
  RowReader<DsqTaskRow> of_task_{walk_};
  MaybeMember runnable_at_ = Fields(walk_, kScxEntityStruct).Maybe(scx_member::kRunnableAt);
  TaskIdentities identities_;
  DsqTasks tasks_;
  KernelClock clock_;
  DsqState state_;
};

}  // namespace

const RowTable<DsqRow>& DsqRow::Table() {
  using R = DsqRow;
  static const RowTable<R> table(
      "dsq", "The dispatch queues of sched_ext.", kDsqStruct,
      {
          ReadCol<&R::dsq_id>("dsq_id", "", "Id; built-in queues have bit 63 set.",
                              At(dsq_member::kId)),
          Col<&R::kind>("kind", "",
                        "local (of a CPU), global (of a NUMA node), user (made by a scheduler), "
                        "bypass (of a CPU), or for tasks that their sub-scheduler may not run on a "
                        "CPU (7.3 on): reject (on their way back to it), rescue (run by the kernel "
                        "in its stead)."),
          Col<&R::scheduler>("scheduler", "",
                             "Number in table scx of the scheduler whose it is; NULL for those of "
                             "all schedulers."),
          Col<&R::cpu>("cpu", "", "CPU of one that is of a CPU."),
          Col<&R::node>("node", "", "NUMA node of a global queue."),
          ReadCol<&R::nr>("nr", "", "Tasks in it, as the kernel counts.", At(dsq_member::kNr)),
          Col<&R::listed>("listed", "", "Tasks found on its list."),
          Col<&R::by_vtime>("by_vtime", "", "Tasks found in its tree; 0: a queue in FIFO order."),
          Col<&R::dsq_kva>("dsq_kva", "", "Address of its struct scx_dispatch_q."),
      });
  return table;
}

const RowTable<DsqTaskRow>& DsqTaskRow::Table() {
  using R = DsqTaskRow;
  static const RowTable<R> table(
      "dsq_task", "The tasks in each dispatch queue.", kScxEntityStruct,
      {
          Col<&R::dsq_id>("dsq_id", "", "Id of the queue."),
          Col<&R::scheduler>("scheduler", "",
                             "Number in table scx of the scheduler whose queue it is; NULL for "
                             "those of all schedulers."),
          Col<&R::cpu>("cpu", "", "CPU of a queue of a CPU."),
          Col<&R::node>("node", "", "NUMA node of a global queue."),
          Col<&R::position>("position", "", "Place on the list, from 0."),
          Col<&R::vtime_position>("vtime_position", "", "Place in vtime order, from 0."),
          Col<&R::pid>("pid", "", "Thread."),
          Col<&R::comm>("comm", "", "Its name."),
          ReadCol<&R::vtime>("vtime", "", "Its dsq_vtime.", At(scx_member::kDsqVtime)),
          ReadCol<&R::slice_ns>("slice_ns", "ns", "What is left of its slice.",
                                At(scx_member::kSlice)),
          Col<&R::waiting_ms>("waiting_ms", "ms", "Since when it has been runnable."),
          Col<&R::task_kva>("task_kva", "", "Address of its task_struct."),
          Col<&R::dsq_kva>("dsq_kva", "", "Address of the queue, which tells equal ids apart."),
      });
  return table;
}

Result<DsqState> WalkDsqs(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("dsq");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  if (!walk.types.FindStruct("scx_dispatch_q")) return DsqState{};
  DsqState state = DsqWalker(walk).Run();
  state.anomalies = std::move(anomalies).Take();
  return state;
}

}  // namespace ktstr
