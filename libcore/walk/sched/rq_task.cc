#include "ktstr/walk/sched/rq_task.h"

#include <fmt/format.h>

#include <unordered_set>

#include "ktstr/walk/cgroup_path.h"
#include "ktstr/walk/container/rb_tree.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/list.h"
#include "ktstr/walk/sched/dsq_tasks.h"
#include "ktstr/walk/task_identity.h"

namespace ktstr {

namespace {

// Groups within groups: more than this is damage.
constexpr int kMaxDepth = 64;

struct Members {
  MaybeMember rq_cfs, rq_curr, rq_rt, rq_dl_root, rq_scx_local, rq_scx_runnable;
  MaybeMember tree, curr, tg, tg_cgroup;
  MaybeMember run_node, my_q, vruntime, deadline, slice, delayed;
  MaybeMember task_se, task_rt, task_dl, task_prio, scx_runnable_node;
  MaybeMember rt_active, rt_queue, run_list, rt_my_q;
  MaybeMember dl_node, dl_deadline, dl_runtime, dl_server;

  explicit Members(const Walk& walk) {
    Fields rq(walk, "rq");
    rq_cfs = rq.Need("cfs");
    rq_curr = rq.Need("curr");
    rq_rt = rq.Need("rt");
    rq_dl_root = rq.Need("dl.root");
    rq_scx_local = rq.Maybe("scx.local_dsq");
    rq_scx_runnable = rq.Maybe("scx.runnable_list");
    Fields cfs(walk, "cfs_rq");
    tree = cfs.Need("tasks_timeline");
    curr = cfs.Need("curr");
    tg = cfs.Maybe("tg");
    tg_cgroup = Fields(walk, "task_group").Maybe("css.cgroup");
    Fields entity(walk, "sched_entity");
    run_node = entity.Need("run_node");
    my_q = entity.Maybe("my_q");
    vruntime = entity.Need("vruntime");
    deadline = entity.Maybe("deadline");
    slice = entity.Maybe("slice");
    delayed = entity.Maybe("sched_delayed");
    Fields task(walk, "task_struct");
    task_se = task.Need("se");
    task_rt = task.Need("rt");
    task_dl = task.Need("dl");
    task_prio = task.Need("prio");
    scx_runnable_node = task.Maybe("scx.runnable_node");
    rt_active = Fields(walk, "rt_rq").Need("active");
    rt_queue = Fields(walk, "rt_prio_array").Need("queue");
    Fields rt(walk, "sched_rt_entity");
    run_list = rt.Need("run_list");
    rt_my_q = rt.Maybe("my_q");
    Fields dl(walk, "sched_dl_entity");
    dl_node = dl.Need("rb_node");
    dl_deadline = dl.Need("deadline");
    dl_runtime = dl.Need("runtime");
    dl_server = dl.Maybe("dl_server");
  }
};

class QueueWalker {
 public:
  explicit QueueWalker(const Walk& walk)
      : walk_(walk), m_(walk), identities_(walk), cgroups_(walk), dsq_(walk) {}

  std::vector<RqTaskRow> Run(const CpuRef& cpu) {
    rows_.clear();
    cpu_ = cpu.cpu;
    CellReader rq(walk_, cpu.rq, "a run queue");
    curr_ = rq.Pointer(m_.rq_curr);
    Begin("cfs");
    if (m_.rq_cfs && m_.tree && m_.run_node && m_.task_se) {
      groups_.clear();
      WalkFair(cpu.rq + m_.rq_cfs->offset, 0);
    }
    Begin("rt");
    if (m_.rq_rt && m_.rt_active && m_.rt_queue && m_.run_list && m_.task_rt) {
      groups_.clear();
      WalkRealTime(cpu.rq + m_.rq_rt->offset, 0);
    }
    Begin("dl");
    if (m_.rq_dl_root && m_.dl_node && m_.task_dl) WalkDeadline(cpu.rq + m_.rq_dl_root->offset);
    Begin("scx_local");
    if (m_.rq_scx_local) {
      for (const Kva task : dsq_.InListOrder(cpu.rq + m_.rq_scx_local->offset, Name())) {
        Add(task);
      }
    }
    Begin("scx_runnable");
    if (m_.rq_scx_runnable && m_.scx_runnable_node) {
      for (const Kva node : WalkList(walk_, cpu.rq + m_.rq_scx_runnable->offset, Name())) {
        Add(node - m_.scx_runnable_node->offset);
      }
    }
    return std::move(rows_);
  }

 private:
  void Begin(const char* queue) {
    queue_ = queue;
    position_ = 0;
    name_ = fmt::format("{} queue of CPU {}", queue, cpu_);
  }
  const std::string& Name() const { return name_; }

  RqTaskRow NewRow() {
    RqTaskRow row;
    row.cpu = cpu_;
    row.queue = queue_;
    row.position = position_++;
    return row;
  }

  RqTaskRow& Add(Kva task) {
    RqTaskRow row = NewRow();
    TaskIdentity identity = identities_.Of(task);
    row.pid = identity.pid;
    row.comm = std::move(identity.comm);
    row.task_kva = Hex(task);
    if (curr_) row.running = *curr_ == task ? 1 : 0;
    CellReader object(walk_, task, "a queued task");
    row.prio = object.Integer(m_.task_prio);
    rows_.push_back(std::move(row));
    return rows_.back();
  }

  // False for a queue that was entered before.
  bool EnterGroup(Kva queue, int64_t depth) {
    if (depth <= kMaxDepth && groups_.insert(queue.value()).second) return true;
    walk_.anomalies.Add("cycle", queue, fmt::format("{}: groups within groups", name_));
    return false;
  }

  void WalkFair(Kva cfs_rq, int64_t depth) {
    if (!EnterGroup(cfs_rq, depth)) return;
    CellReader queue(walk_, cfs_rq, "a fair queue");
    const auto group = GroupOf(queue);
    const auto running = queue.Pointer(m_.curr);
    if (running && !running->is_null()) VisitEntity(*running, group, depth);
    for (const Kva node : WalkRbTree(walk_, cfs_rq + m_.tree->offset, name_)) {
      const Kva entity = node - m_.run_node->offset;
      // While it is put back it is still the running one for a moment.
      if (running != entity) VisitEntity(entity, group, depth);
    }
  }

  std::optional<std::string> GroupOf(CellReader& queue) {
    const auto tg = queue.Pointer(m_.tg);
    if (!tg || tg->is_null()) return std::nullopt;
    CellReader group(walk_, *tg, "a task group");
    const auto cgroup = group.Pointer(m_.tg_cgroup);
    // The root group stands for no cgroup's css before cgroups are mounted.
    return cgroup && !cgroup->is_null() ? cgroups_.PathOf(*cgroup) : std::nullopt;
  }

  void VisitEntity(Kva kva, const std::optional<std::string>& group, int64_t depth) {
    CellReader entity(walk_, kva, "a fair entity");
    if (m_.my_q) {
      const auto below = entity.Pointer(m_.my_q);
      if (!below) return;
      if (!below->is_null()) return WalkFair(*below, depth + 1);
    }
    RqTaskRow& row = Add(kva - m_.task_se->offset);
    row.depth = depth;
    row.cgroup = group;
    row.vruntime = entity.Integer(m_.vruntime);
    row.deadline = entity.Integer(m_.deadline);
    row.slice_ns = entity.Integer(m_.slice);
    row.delayed = entity.Integer(m_.delayed);
  }

  void WalkRealTime(Kva rt_rq, int64_t depth) {
    if (!EnterGroup(rt_rq, depth)) return;
    const Kva queue = rt_rq + m_.rt_active->offset + m_.rt_queue->offset;
    const uint64_t priorities = m_.rt_queue->size / sizeof(ListEnds);
    std::optional<uint64_t> missing_page;
    for (uint64_t priority = 0; priority < priorities; ++priority) {
      const Kva head = queue + priority * sizeof(ListEnds);
      const auto ends = walk_.kernel.Read<ListEnds>(head);
      if (!ends) {
        const uint64_t page = head.value() / kPageSize;
        if (missing_page != page) walk_.anomalies.Add(ends.error(), head, name_);
        missing_page = page;
        continue;
      }
      // A priority that was never used, or whose list is empty.
      if (ends->next == head.value() || ends->next == 0) continue;
      for (const Kva node : WalkList(walk_, head, name_)) {
        VisitRealTime(node - m_.run_list->offset, depth);
      }
    }
  }

  void VisitRealTime(Kva kva, int64_t depth) {
    CellReader entity(walk_, kva, "a real-time entity");
    if (m_.rt_my_q) {
      const auto below = entity.Pointer(m_.rt_my_q);
      if (!below) return;
      if (!below->is_null()) return WalkRealTime(*below, depth + 1);
    }
    Add(kva - m_.task_rt->offset).depth = depth;
  }

  void WalkDeadline(Kva root) {
    for (const Kva node : WalkRbTree(walk_, root, name_)) {
      const Kva kva = node - m_.dl_node->offset;
      CellReader entity(walk_, kva, "a deadline entity");
      // A server runs the fair queue's tasks in its name (6.8 on); it is no task.
      const bool is_server = entity.Integer(m_.dl_server).value_or(0) != 0;
      if (is_server) rows_.push_back(NewRow());
      RqTaskRow& row = is_server ? rows_.back() : Add(kva - m_.task_dl->offset);
      if (is_server) row.note = "deadline server of the fair class";
      row.deadline = entity.Integer(m_.dl_deadline);
      row.dl_runtime_ns = entity.Integer(m_.dl_runtime);
    }
  }

  struct ListEnds {
    uint64_t next, prev;
  };

  Walk walk_;
  Members m_;
  TaskIdentities identities_;
  CgroupPaths cgroups_;
  DsqTasks dsq_;
  std::vector<RqTaskRow> rows_;
  std::unordered_set<uint64_t> groups_;
  int64_t cpu_ = 0;
  std::optional<Kva> curr_;
  const char* queue_ = "";
  std::string name_;
  int64_t position_ = 0;
};

}  // namespace

const RowTable<RqTaskRow>& RqTaskRow::Table() {
  using R = RqTaskRow;
  static const RowTable<R> table(
      "rq_task", "The tasks on each CPU's run queues, in queue order.",
      {
          Col<&R::cpu>("cpu", "", "CPU whose queue it is."),
          Col<&R::queue>("queue", "",
                         "cfs, rt, dl, scx_local (the CPU's own DSQ) or scx_runnable."),
          Col<&R::position>("position", "", "Place in the queue, from 0."),
          Col<&R::pid>("pid", "", "Thread; NULL for an entity that is no task."),
          Col<&R::comm>("comm", "", "Its name."),
          Col<&R::running>("running", "", "1 when the run queue runs it."),
          Col<&R::depth>("depth", "", "cfs, rt: how many groups deep it is queued."),
          Col<&R::cgroup>("cgroup", "", "cfs: group whose queue it is in."),
          Col<&R::vruntime>("vruntime", "ns", "cfs: virtual runtime."),
          Col<&R::deadline>("deadline", "ns", "cfs: virtual deadline; dl: absolute deadline."),
          Col<&R::slice_ns>("slice_ns", "ns", "cfs: requested slice."),
          Col<&R::delayed>("delayed", "",
                           "cfs: 1 when it sleeps and only stays queued until its lag is used up."),
          Col<&R::prio>("prio", "", "Effective priority."),
          Col<&R::dl_runtime_ns>("dl_runtime_ns", "ns", "dl: runtime left; negative: overrun."),
          Col<&R::note>("note", "", "What it is when it is no task."),
          Col<&R::task_kva>("task_kva", "", "Address of its task_struct."),
      });
  return table;
}

Result<Walked<RqTaskRow>> WalkRqTasks(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("rq_task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  QueueWalker walker(walk);
  Walked<RqTaskRow> walked;
  for (const CpuRef& cpu : ListCpus(walk)) {
    for (RqTaskRow& row : walker.Run(cpu)) walked.rows.push_back(std::move(row));
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
