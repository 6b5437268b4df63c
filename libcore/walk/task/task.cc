#include "libcore/walk/task/task.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/scx_entity.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/stack/wait_channel.h"
#include "libcore/walk/system/cgroup_path.h"
#include "libcore/walk/task/read_tasks.h"
#include "libcore/walk/task/sched_class.h"
#include "libcore/walk/task/task_list.h"

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

struct TaskMembers : Fields {
  explicit TaskMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember real_parent = Need("real_parent"), tgid = Need(task_member::kTgid),
              exit_state = Need(task_member::kExitState),
              sched_class = Need(task_member::kSchedClass),
              cpus_mask = Need("cpus_mask", "cpus_allowed"), cgroups = Maybe("cgroups");
};

// The clock of the run queue that was updated last.
std::optional<int64_t> LatestRqClock(const Walk& walk) {
  const MaybeMember clock = Fields(walk, kRqStruct).Maybe(rq_member::kClock);
  std::optional<int64_t> latest;
  for (const CpuRef& cpu : ListCpus(walk)) {
    const auto now = CellReader(walk, cpu.rq, "a run queue").Integer(clock);
    if (now && (!latest || *now > *latest)) latest = now;
  }
  return latest;
}

// With the columns out of which wanted ones are made.
ColumnsWanted WithSources(ColumnsWanted wanted) {
  struct Made {
    std::string_view column;
    std::initializer_list<std::string_view> of;
  };
  for (const Made& made : {Made{"state", {"state_raw"}}, Made{"is_kthread", {"flags"}},
                           Made{"waiting_ns", {"last_queued_ns", "on_rq"}},
                           Made{"wchan", {"state_raw", "on_rq", "on_cpu"}}}) {
    if (wanted.all() || !wanted.Contains(made.column)) continue;
    for (const std::string_view source : made.of) wanted.Add(source);
  }
  return wanted;
}

// What is decoded of struct sched_ext_entity, and not a copy.
bool WantsScx(const ColumnsWanted& wanted) {
  return std::ranges::any_of(TaskRow::Table().info.columns, [&](const ColumnInfo& column) {
    return column.name.starts_with("scx_") && wanted.Contains(column.name);
  });
}

class TaskWalker {
 public:
  // `frames` as WalkStacks gives them.
  TaskWalker(const Walk& walk, std::span<const StackFrameRow> frames, const ColumnsWanted& wanted)
      : walk_(walk),
        columns_(walk, WithSources(wanted)),
        wants_ppid_(wanted.Contains("ppid")),
        wants_state_(wanted.Contains("state")),
        wants_class_(wanted.Contains("class") || wanted.Contains("class_symbol")),
        wants_affinity_(wanted.Contains("affinity")),
        wants_cgroup_(wanted.Contains("cgroup")),
        classes_(walk.kernel),
        cgroups_(walk),
        cpu_count_(walk.kernel.CpuCount().value_or(0)) {
    if (WantsScx(wanted)) scx_.emplace(walk);
    if (wanted.Contains("wchan")) wait_channels_.emplace(walk.kernel, frames);
    if (wanted.Contains("waiting_ns")) latest_clock_ns_ = LatestRqClock(walk);
  }

  TaskRow Read(const TaskRef& ref) {
    CellReader object(walk_, ref.task, "a task");
    TaskRow row;
    columns_.Read(object, row);
    row.task_kva = Hex(ref.task);
    // An idle task's own CPU is set when that comes up; its run queue knows it before.
    if (ref.idle_cpu) row.cpu = *ref.idle_cpu;
    if (wants_ppid_) row.ppid = ParentOf(object);
    if (wants_state_) SetState(object, row);
    if (wants_class_) SetClass(object, row);
    row.waiting_ns = WaitingOf(row);
    if (row.flags) row.is_kthread = (row.flags->value & kPfKthread) != 0;
    if (wants_affinity_ && task_.cpus_mask && cpu_count_ != 0) SetAffinity(object, row);
    if (wants_cgroup_) SetCgroup(object, row);
    if (scx_) scx_->Decode(object, row);
    if (wait_channels_ && Sleeps(row)) row.wchan = wait_channels_->Of(ref.task);
    return row;
  }

 private:
  std::optional<int64_t> ParentOf(CellReader& object) {
    const auto parent = object.Pointer(task_.real_parent);
    if (!parent || parent->is_null()) return std::nullopt;
    CellReader parent_object(walk_, *parent, "a task's parent");
    return parent_object.Integer(task_.tgid);
  }

  void SetState(CellReader& object, TaskRow& row) {
    const auto exit_state = object.Unsigned(task_.exit_state);
    if (!row.state_raw || !exit_state) return;
    const auto state = static_cast<uint32_t>(row.state_raw->value);
    row.state = std::string(1, TaskStateLetter(state, static_cast<uint32_t>(*exit_state)));
  }

  void SetClass(CellReader& object, TaskRow& row) {
    const auto sched_class = object.Pointer(task_.sched_class);
    if (!sched_class) return;
    row.sched_class = classes_.NameOf(*sched_class);
    if (row.sched_class) row.sched_class_symbol = SchedClasses::SymbolOf(*row.sched_class);
  }

  void SetCgroup(CellReader& object, TaskRow& row) {
    const auto css_set = object.Pointer(task_.cgroups);
    if (css_set) row.cgroup = cgroups_.PathOfCssSet(*css_set);
  }

  // struct sched_info, include/linux/sched.h (CONFIG_SCHED_INFO).
  std::optional<int64_t> WaitingOf(const TaskRow& row) const {
    if (!row.last_queued_ns || row.on_rq != 1 || !latest_clock_ns_) return std::nullopt;
    // A clock of another CPU may be a little behind.
    return std::max(*latest_clock_ns_ - *row.last_queued_ns, int64_t{0});
  }

  static bool Sleeps(const TaskRow& row) {
    return row.state_raw && row.state_raw->value != 0 && row.on_rq == 0 && row.on_cpu == 0;
  }

  void SetAffinity(CellReader& object, TaskRow& row) {
    CpuMask mask((cpu_count_ + 63) / 64);
    const auto read =
        object.object().Read(task_.cpus_mask->offset, std::as_writable_bytes(std::span(mask)));
    if (!read) return object.Report(read.error());
    KeepBits(mask, cpu_count_);
    row.affinity = ToList(mask);
  }

  Walk walk_;
  RowReader<TaskRow> columns_;
  const bool wants_ppid_, wants_state_, wants_class_, wants_affinity_, wants_cgroup_;
  TaskMembers task_{walk_};
  SchedClasses classes_;
  CgroupPaths cgroups_;
  std::optional<ScxEntities> scx_;
  std::optional<WaitChannels> wait_channels_;
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

Result<Walked<TaskRow>> WalkTasks(const GuestKernel& kernel, std::span<const StackFrameRow> frames,
                                  const ColumnsWanted& wanted, const WalkLimits& limits) {
  Anomalies anomalies("task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Anomalies of_tasks("task");  // told after those of their lists
  TaskWalker walker(walk.NotingIn(of_tasks), frames, wanted);
  const auto read = [&walker](const TaskRef& task) { return walker.Read(task); };
  const auto make_other = [&](const Walk& beside) {
    auto other = std::make_shared<TaskWalker>(beside, frames, wanted);
    return [other](const TaskRef& task) { return other->Read(task); };
  };
  Walked<TaskRow> walked;
  walked.rows = KTSTR_TRY(ReadTasks<TaskRow>(walk, read, make_other));
  walked.anomalies = std::move(anomalies).Take();
  std::ranges::move(std::move(of_tasks).Take(), std::back_inserter(walked.anomalies));
  return walked;
}

Result<Walked<TaskRow>> WalkTasks(const GuestKernel& kernel, const WalkLimits& limits) {
  // What is wrong with stacks is told by who walks them for their own sake.
  const auto stacks = WalkStacks(kernel, limits);
  return WalkTasks(kernel, stacks ? std::span(stacks->rows) : std::span<const StackFrameRow>(), {},
                   limits);
}

}  // namespace ktstr
