#include "libcore/walk/sched/rq_task.h"

#include <fmt/format.h>

#include <unordered_set>

#include "libcore/walk/container/list.h"
#include "libcore/walk/container/rb_tree.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/group_queues.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/dsq_tasks.h"
#include "libcore/walk/system/cgroup_path.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

// A run queue (struct rq, kernel/sched/sched.h) has a queue for each class, each of a shape of its
// own: fair tasks are in a tree by deadline or vruntime (cfs_rq.tasks_timeline), where a group
// stands as one entity with a queue of its own (my_q), or, from 7.3 on, where the tasks of all
// groups stand side by side, each with its group's queue in se.cfs_rq; real-time tasks are in a
// list for each priority (rt_prio_array.queue); deadline tasks are in a tree (dl_rq.root); those of
// sched_ext on the list of the CPU's local queue and on that of runnable ones. A fair entity that
// runs is not in its tree, but in cfs_rq.curr. A group that has used up its quota is throttled:
// since 6.18 each of its tasks leaves the tree when it would go on in user mode, for the list
// cfs_rq.throttled_limbo_list of the group's queue.

namespace {

// Groups within groups: more than this is damage.
constexpr int kMaxDepth = 64;

struct QueueMembers : Fields {
  explicit QueueMembers(const Walk& walk) : Fields(walk, kRqStruct) {}
  MaybeMember cfs = Need("cfs"), curr = Need(rq_member::kCurr), rt = Need("rt"),
              dl_root = Need("dl.root"), ext_server = Maybe("ext_server");
};

struct FairQueueMembers : Fields {
  explicit FairQueueMembers(const Walk& walk) : Fields(walk, "cfs_rq") {}
  MaybeMember tree = Need("tasks_timeline"), curr = Need("curr"), tg = Maybe("tg"),
              limbo = Maybe("throttled_limbo_list");
};

struct GroupMembers : Fields {
  explicit GroupMembers(const Walk& walk) : Fields(walk, "task_group") {}
  MaybeMember cgroup = Maybe("css.cgroup"), list = Maybe("list");
};

struct FairMembers : Fields {
  explicit FairMembers(const Walk& walk) : Fields(walk, "sched_entity") {}
  MaybeMember run_node = Need("run_node"), my_q = Maybe("my_q"), cfs_rq = Maybe("cfs_rq");
};

struct EntityMembers : Fields {
  explicit EntityMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember se = Need("se"), rt = Need("rt"), dl = Need(task_member::kDeadlineEntity),
              throttle_node = Maybe("throttle_node");
};

struct RtQueueMembers : Fields {
  explicit RtQueueMembers(const Walk& walk) : Fields(walk, "rt_rq") {}
  MaybeMember active = Need("active");
};

struct RtArrayMembers : Fields {
  explicit RtArrayMembers(const Walk& walk) : Fields(walk, "rt_prio_array") {}
  MaybeMember queue = Need("queue");
};

struct RtMembers : Fields {
  explicit RtMembers(const Walk& walk) : Fields(walk, "sched_rt_entity") {}
  MaybeMember run_list = Need("run_list"), my_q = Maybe("my_q");
};

struct DlMembers : Fields {
  explicit DlMembers(const Walk& walk) : Fields(walk, "sched_dl_entity") {}
  MaybeMember node = Need("rb_node"), deadline = Need("deadline"), server = Maybe("dl_server");
};

class QueueWalker {
 public:
  explicit QueueWalker(const Walk& walk)
      : walk_(walk), identities_(walk), cgroups_(walk), dsq_(walk), task_groups_(ListGroups()) {}

  std::vector<RqTaskRow> Run(const CpuRef& cpu) {
    rows_.clear();
    cpu_ = cpu.cpu;
    CellReader rq(walk_, cpu.rq, "a run queue");
    curr_ = rq.Pointer(rq_.curr);
    Begin("cfs");
    if (rq_.cfs && cfs_.tree && fair_.run_node && task_.se) {
      groups_.clear();
      WalkFair(cpu.rq + rq_.cfs->offset, 0);
    }
    Begin("cfs_throttled");
    WalkThrottled();
    Begin("rt");
    if (rq_.rt && rt_queue_.active && rt_array_.queue && rt_.run_list && task_.rt) {
      groups_.clear();
      WalkRealTime(cpu.rq + rq_.rt->offset, 0);
    }
    Begin("dl");
    if (rq_.dl_root && dl_.node && task_.dl) WalkDeadline(cpu.rq);
    Begin("scx_local");
    if (scx_.local_dsq) {
      for (const Kva task : dsq_.InListOrder(cpu.rq + scx_.local_dsq->offset, Name())) {
        Add(task);
      }
    }
    Begin("scx_runnable");
    if (scx_.runnable_list && runnable_.node) {
      for (const Kva node : WalkList(walk_, cpu.rq + scx_.runnable_list->offset, Name())) {
        Add(node - runnable_.node->offset);
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
    of_task_.Read(object, row);
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
    const auto running = queue.Pointer(cfs_.curr);
    if (running && !running->is_null()) VisitEntity(*running, cfs_rq, group, depth);
    for (const Kva node : WalkRbTree(walk_, cfs_rq + cfs_.tree->offset, name_)) {
      const Kva entity = node - fair_.run_node->offset;
      // While it is put back it is still the running one for a moment.
      if (running != entity) VisitEntity(entity, cfs_rq, group, depth);
    }
  }

  std::optional<std::string> GroupOf(CellReader& queue) {
    const auto tg = queue.Pointer(cfs_.tg);
    if (!tg || tg->is_null()) return std::nullopt;
    CellReader group(walk_, *tg, "a task group");
    const auto cgroup = group.Pointer(group_.cgroup);
    // The root group stands for no cgroup's css before cgroups are mounted.
    return cgroup && !cgroup->is_null() ? cgroups_.PathOf(*cgroup) : std::nullopt;
  }

  // Where tasks of several groups stand in one queue, each has its own group's.
  std::optional<std::string> GroupOf(CellReader& entity, Kva queue,
                                     const std::optional<std::string>& group_of_queue) {
    const auto own = entity.Pointer(fair_.cfs_rq);
    if (!own || own->is_null() || *own == queue) return group_of_queue;
    CellReader object(walk_, *own, "a task's fair queue");
    return GroupOf(object);
  }

  std::vector<Kva> ListGroups() const {
    std::vector<Kva> groups;
    const auto head = walk_.kernel.symbol_kva("task_groups");
    if (!head || !group_.list || !cfs_.limbo || !task_.throttle_node) return groups;
    for (const Kva node : WalkList(walk_, *head, "task_groups")) {
      groups.push_back(node - group_.list->offset);
    }
    return groups;
  }

  void WalkThrottled() {
    for (const Kva kva : task_groups_) {
      CellReader group(walk_, kva, "a task group");
      const auto queue = group_queues_.Of(group, static_cast<uint32_t>(cpu_));
      if (!queue) continue;
      CellReader fair(walk_, *queue, "a group's fair queue");
      std::optional<std::string> cgroup;
      for (const Kva node : WalkList(walk_, *queue + cfs_.limbo->offset, Name())) {
        const Kva task = node - task_.throttle_node->offset;
        RqTaskRow& row = Add(task);
        if (!cgroup) cgroup = GroupOf(fair);
        row.cgroup = cgroup;
        if (!task_.se) continue;
        CellReader entity(walk_, task + task_.se->offset, "a throttled task's fair entity");
        of_fair_.Read(entity, row);
      }
    }
  }

  void VisitEntity(Kva kva, Kva queue, const std::optional<std::string>& group, int64_t depth) {
    CellReader entity(walk_, kva, "a fair entity");
    if (fair_.my_q) {
      const auto below = entity.Pointer(fair_.my_q);
      if (!below) return;
      if (!below->is_null()) return WalkFair(*below, depth + 1);
    }
    RqTaskRow& row = Add(kva - task_.se->offset);
    row.depth = depth;
    row.cgroup = GroupOf(entity, queue, group);
    of_fair_.Read(entity, row);
  }

  void WalkRealTime(Kva rt_rq, int64_t depth) {
    if (!EnterGroup(rt_rq, depth)) return;
    const Kva queue = rt_rq + rt_queue_.active->offset + rt_array_.queue->offset;
    const uint64_t priorities = rt_array_.queue->size / sizeof(ListEnds);
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
        VisitRealTime(node - rt_.run_list->offset, depth);
      }
    }
  }

  void VisitRealTime(Kva kva, int64_t depth) {
    CellReader entity(walk_, kva, "a real-time entity");
    if (rt_.my_q) {
      const auto below = entity.Pointer(rt_.my_q);
      if (!below) return;
      if (!below->is_null()) return WalkRealTime(*below, depth + 1);
    }
    Add(kva - task_.rt->offset).depth = depth;
  }

  void WalkDeadline(Kva rq) {
    for (const Kva node : WalkRbTree(walk_, rq + rq_.dl_root->offset, name_)) {
      const Kva kva = node - dl_.node->offset;
      CellReader entity(walk_, kva, "a deadline entity");
      // A server runs the tasks of another class in its name: the fair one's (6.8 on) or, where the
      // run queue has one for it, sched_ext's. It is no task.
      const bool is_server = entity.Integer(dl_.server).value_or(0) != 0;
      if (is_server) rows_.push_back(NewRow());
      RqTaskRow& row = is_server ? rows_.back() : Add(kva - task_.dl->offset);
      const bool is_ext = rq_.ext_server && kva == rq + rq_.ext_server->offset;
      if (is_server) {
        row.note = is_ext ? "deadline server of sched_ext" : "deadline server of the fair class";
      }
      row.deadline = entity.Integer(dl_.deadline);
      of_dl_.Read(entity, row);
    }
  }

  struct ListEnds {
    uint64_t next, prev;
  };

  Walk walk_;
  QueueMembers rq_{walk_};
  FairQueueMembers cfs_{walk_};
  GroupMembers group_{walk_};
  FairMembers fair_{walk_};
  EntityMembers task_{walk_};
  RtQueueMembers rt_queue_{walk_};
  RtArrayMembers rt_array_{walk_};
  RtMembers rt_{walk_};
  DlMembers dl_{walk_};
  ScxRqMembers scx_{walk_};
  RunnableMembers runnable_{walk_};
  RowReader<RqTaskRow> of_task_{walk_, kTaskStruct.name}, of_fair_{walk_, "sched_entity"},
      of_dl_{walk_, "sched_dl_entity"};
  TaskIdentities identities_;
  CgroupPaths cgroups_;
  DsqTasks dsq_;
  GroupQueues group_queues_{walk_};
  std::vector<Kva> task_groups_;  // only where tasks can be in limbo
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
          Col<&R::queue>(
              "queue", "",
              "cfs, rt, dl, scx_local (the CPU's own DSQ), scx_runnable, or "
              "cfs_throttled: runnable, but in no queue until its group has a new quota."),
          Col<&R::position>("position", "", "Place in the queue, from 0."),
          Col<&R::pid>("pid", "", "Thread; NULL for an entity that is no task."),
          Col<&R::comm>("comm", "", "Its name."),
          Col<&R::running>("running", "", "1 when the run queue runs it."),
          Col<&R::depth>("depth", "", "cfs, rt: how many groups deep it is queued."),
          Col<&R::cgroup>("cgroup", "", "cfs: group whose queue it is in."),
          ReadCol<&R::vruntime>("vruntime", "ns", "cfs: virtual runtime.",
                                At("vruntime").Of("sched_entity")),
          ReadCol<&R::deadline>("deadline", "ns", "cfs: virtual deadline; dl: absolute deadline.",
                                MaybeAt("deadline").Of("sched_entity")),
          ReadCol<&R::slice_ns>("slice_ns", "ns", "cfs: requested slice.",
                                MaybeAt("slice").Of("sched_entity")),
          ReadCol<&R::delayed>(
              "delayed", "",
              "cfs: 1 when it sleeps and only stays queued until its lag is used up.",
              MaybeAt("sched_delayed").Of("sched_entity")),
          ReadCol<&R::h_load>(
              "h_load", "",
              "cfs: weight with which it stands among the tasks of all groups; NULL "
              "for a kernel that queues group by group.",
              MaybeAt("h_load.weight").Of("sched_entity")),
          ReadCol<&R::prio>("prio", "", "Effective priority.",
                            At(task_member::kPrio).Of(kTaskStruct)),
          ReadCol<&R::dl_runtime_ns>("dl_runtime_ns", "ns", "dl: runtime left; negative: overrun.",
                                     At("runtime").Of("sched_dl_entity")),
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
