#include "ktstr/walk/task.h"

#include <algorithm>
#include <bit>

#include "ktstr/walk/cgroup_path.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/cpu_mask.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/sched/scx_entity.h"
#include "ktstr/walk/sched_class.h"
#include "ktstr/walk/task_list.h"

namespace ktstr {

namespace {

// include/linux/sched.h.
constexpr uint32_t kTaskUninterruptible = 0x2;
constexpr uint32_t kTaskReport = 0x7f;
constexpr uint32_t kTaskReportIdle = kTaskReport + 1;
constexpr uint32_t kTaskIdle = 0x402;  // TASK_UNINTERRUPTIBLE | TASK_NOLOAD
constexpr uint32_t kTaskRtlockWait = 0x1000;
constexpr uint32_t kTaskFrozen = 0x8000;
constexpr uint64_t kPfKthread = 0x00200000;
struct TaskMembers {
  MaybeMember last_arrival, last_queued, run_delay, pcount;
  MaybeMember pid, tgid, real_parent, comm, state, exit_state, cpu, on_cpu, on_rq, sched_class,
      policy, prio, static_prio, normal_prio, rt_priority, start_time, start_boottime, utime, stime,
      nvcsw, nivcsw, sum_exec_runtime, vruntime, deadline, slice, flags, cpus_mask, cgroups;

  explicit TaskMembers(const Walk& walk) {
    Fields f(walk, "task_struct");
    pid = f.Need("pid");
    tgid = f.Need("tgid");
    real_parent = f.Need("real_parent");
    comm = f.Need("comm");
    state = f.Need("__state", "state");  // renamed in 5.14 (2f064a59a11f)
    exit_state = f.Need("exit_state");
    // 5.16 (bcf9033e5449) moved it from the task to thread_info. A kernel that has both (CentOS
    // Stream 9) keeps up the task's own.
    cpu = f.Maybe("cpu", "thread_info.cpu");
    on_cpu = f.Maybe("on_cpu");
    on_rq = f.Need("on_rq");
    sched_class = f.Need("sched_class");
    policy = f.Need("policy");
    prio = f.Need("prio");
    static_prio = f.Need("static_prio");
    normal_prio = f.Need("normal_prio");
    rt_priority = f.Need("rt_priority");
    start_time = f.Need("start_time");
    start_boottime = f.Need("start_boottime", "real_start_time");
    utime = f.Need("utime");
    stime = f.Need("stime");
    nvcsw = f.Need("nvcsw");
    nivcsw = f.Need("nivcsw");
    sum_exec_runtime = f.Need("se.sum_exec_runtime");
    last_arrival = f.Maybe("sched_info.last_arrival");
    last_queued = f.Maybe("sched_info.last_queued");
    run_delay = f.Maybe("sched_info.run_delay");
    pcount = f.Maybe("sched_info.pcount");
    vruntime = f.Need("se.vruntime");
    deadline = f.Maybe("se.deadline");
    slice = f.Maybe("se.slice");
    flags = f.Need("flags");
    cpus_mask = f.Need("cpus_mask", "cpus_allowed");
    cgroups = f.Maybe("cgroups");
  }
};

// The clock of the run queue that was updated last.
std::optional<int64_t> LatestRqClock(const Walk& walk) {
  const MaybeMember clock = Fields(walk, "rq").Maybe("clock");
  std::optional<int64_t> latest;
  for (const CpuRef& cpu : ListCpus(walk)) {
    const auto now = CellReader(walk, cpu.rq, "a run queue").Integer(clock);
    if (now && (!latest || *now > *latest)) latest = now;
  }
  return latest;
}

std::optional<int64_t> NotZero(std::optional<int64_t> value) {
  return value == 0 ? std::nullopt : value;
}

class TaskWalker {
 public:
  explicit TaskWalker(const Walk& walk)
      : walk_(walk),
        members_(walk),
        classes_(walk.kernel),
        cgroups_(walk),
        scx_(walk),
        cpu_count_(walk.kernel.CpuCount().value_or(0)),
        latest_clock_ns_(LatestRqClock(walk)) {}

  TaskRow Read(const TaskRef& ref) {
    CellReader object(walk_, ref.task, "a task");
    const TaskMembers& m = members_;
    TaskRow row;
    row.task_kva = Hex(ref.task);
    row.pid = object.Integer(m.pid);
    row.tgid = object.Integer(m.tgid);
    row.ppid = ParentOf(object);
    row.comm = object.Text(m.comm);
    ReadState(object, row);
    // An idle task's thread_info.cpu is set when its CPU comes up; its run queue knows it before.
    row.cpu = ref.idle_cpu ? std::optional<int64_t>(*ref.idle_cpu) : object.Integer(m.cpu);
    row.on_cpu = object.Integer(m.on_cpu);
    row.on_rq = object.Integer(m.on_rq);
    if (const auto sched_class = object.Pointer(m.sched_class)) {
      row.sched_class = classes_.NameOf(*sched_class);
      if (row.sched_class) row.sched_class_symbol = SchedClasses::SymbolOf(*row.sched_class);
    }
    row.policy = object.Integer(m.policy);
    row.prio = object.Integer(m.prio);
    row.static_prio = object.Integer(m.static_prio);
    row.normal_prio = object.Integer(m.normal_prio);
    row.rt_priority = object.Integer(m.rt_priority);
    row.start_time_ns = object.Integer(m.start_time);
    row.start_boottime_ns = object.Integer(m.start_boottime);
    row.utime_ns = object.Integer(m.utime);
    row.stime_ns = object.Integer(m.stime);
    row.nvcsw = object.Integer(m.nvcsw);
    row.nivcsw = object.Integer(m.nivcsw);
    row.sum_exec_runtime_ns = object.Integer(m.sum_exec_runtime);
    ReadWaiting(object, row);
    row.vruntime = object.Integer(m.vruntime);
    row.deadline = object.Integer(m.deadline);
    row.slice_ns = object.Integer(m.slice);
    row.flags = object.HexOf(m.flags);
    if (row.flags) row.is_kthread = (row.flags->value & kPfKthread) != 0;
    if (m.cpus_mask && cpu_count_ != 0) ReadAffinity(object, row);
    if (const auto css_set = object.Pointer(m.cgroups))
      row.cgroup = cgroups_.PathOfCssSet(*css_set);
    scx_.Read(object, row);
    return row;
  }

 private:
  std::optional<int64_t> ParentOf(CellReader& object) {
    const auto parent = object.Pointer(members_.real_parent);
    if (!parent || parent->is_null()) return std::nullopt;
    CellReader parent_object(walk_, *parent, "a task's parent");
    return parent_object.Integer(members_.tgid);
  }

  void ReadState(CellReader& object, TaskRow& row) {
    const auto state = object.Unsigned(members_.state);
    const auto exit_state = object.Unsigned(members_.exit_state);
    if (!state || !exit_state) return;
    row.state_raw = Hex(*state);
    row.state = std::string(
        1, TaskStateLetter(static_cast<uint32_t>(*state), static_cast<uint32_t>(*exit_state)));
  }

  // struct sched_info, include/linux/sched.h (CONFIG_SCHED_INFO).
  void ReadWaiting(CellReader& object, TaskRow& row) {
    row.run_delay_ns = object.Integer(members_.run_delay);
    row.timeslices = object.Integer(members_.pcount);
    row.last_arrival_ns = NotZero(object.Integer(members_.last_arrival));
    row.last_queued_ns = NotZero(object.Integer(members_.last_queued));
    if (!row.last_queued_ns || row.on_rq != 1 || !latest_clock_ns_) return;
    // A clock of another CPU may be a little behind.
    row.waiting_ns = std::max(*latest_clock_ns_ - *row.last_queued_ns, int64_t{0});
  }

  void ReadAffinity(CellReader& object, TaskRow& row) {
    CpuMask mask((cpu_count_ + 63) / 64);
    const auto read =
        object.object().Read(members_.cpus_mask->offset, std::as_writable_bytes(std::span(mask)));
    if (!read) return object.Report(read.error());
    KeepBits(mask, cpu_count_);
    row.affinity = ToList(mask);
  }

  Walk walk_;
  TaskMembers members_;
  SchedClasses classes_;
  CgroupPaths cgroups_;
  ScxEntities scx_;
  uint32_t cpu_count_;
  std::optional<int64_t> latest_clock_ns_;
};

}  // namespace

// __task_state_index() and task_index_to_char() in include/linux/sched.h.
char TaskStateLetter(uint32_t state, uint32_t exit_state) {
  uint32_t reported = (state | exit_state) & kTaskReport;
  if ((state & kTaskIdle) == kTaskIdle) reported = kTaskReportIdle;
  if ((state & (kTaskRtlockWait | kTaskFrozen)) != 0) reported = kTaskUninterruptible;
  return "RSDTtXZPI"[std::bit_width(reported)];
}

Result<Walked<TaskRow>> WalkTasks(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  const std::vector<TaskRef> tasks = KTSTR_TRY(ListTasks(walk));
  TaskWalker walker(walk);
  Walked<TaskRow> walked;
  walked.rows.reserve(tasks.size());
  for (const TaskRef& task : tasks) walked.rows.push_back(walker.Read(task));
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
