#include "replay/gdb/sleeping_task.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/safe_text.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/stack/cpu_context.h"
#include "libcore/walk/task/task_identity.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

namespace {

// The registers in struct inactive_task_frame by their members there.
constexpr std::pair<std::string_view, std::string_view> kSavedRegisters[] = {
    {"bp", "rbp"},  {"bx", "rbx"},  {"r12", "r12"},     {"r13", "r13"},
    {"r14", "r14"}, {"r15", "r15"}, {"ret_addr", "rip"}};

struct SleepingMembers : Fields {
  explicit SleepingMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember stack = Need(task_member::kStack), saved_sp = Need("thread.sp"), mm = Need("mm"),
              stack_refcount = Maybe("stack_refcount.refs.counter", "stack_refcount.counter");
};

class SleepingTasks {
 public:
  static Result<SleepingTasks> Create(const Walk& walk) {
    SleepingTasks tasks(walk, KTSTR_TRY(TaskStackSize(walk.kernel)));
    constexpr const char* kFrame = "inactive_task_frame";
    tasks.frame_size_ = KTSTR_TRY(walk.types.SizeOf(kFrame));
    for (const auto& [member, name] : kSavedRegisters) {
      tasks.saved_.emplace_back(KTSTR_TRY(walk.types.FindMember(kFrame, std::string(member))),
                                name);
    }
    return tasks;
  }

  bool IsOnCpu(Kva task) const {
    return std::any_of(cpus_.begin(), cpus_.end(), [&](const CpuContext& cpu) {
      return cpu.owner == task ||
             (cpu.vcpu == nullptr && !cpu.stopped && (cpu.current == task || cpu.rq_curr == task));
    });
  }

  Result<SleepingTask> Read(Kva task, const TaskIdentity& identity) {
    CellReader cells(walk_, task, "a task");
    SleepingTask read;
    read.pid = identity.pid.value_or(0);
    read.comm = SafeText(identity.comm.value_or("?"));
    const auto stack = cells.Pointer(members_.stack), sp = cells.Pointer(members_.saved_sp);
    if (!stack || !sp) {
      return Fail(ErrorCode::kUnreadable,
                  fmt::format("the task_struct of {} cannot be read", read.pid));
    }
    if (stack->is_null() || cells.Integer(members_.stack_refcount) == 0) {
      return Fail(ErrorCode::kUnreadable,
                  fmt::format("task {} is dead: its stack is given back", read.pid));
    }
    const StackArea area{StackKind::kTask, *stack, *stack + stack_size_};
    if (!area.Contains(*sp, frame_size_) || (sp->value() & 7) != 0) {
      return Fail(ErrorCode::kUnreadable,
                  fmt::format("the saved stack pointer of task {}, {:#x}, is not on its stack",
                              read.pid, sp->value()));
    }
    read.registers = GdbNoValues();
    ObjectReader frame(walk_.kernel, *sp);
    for (const auto& [member, name] : saved_) {
      SetGdbRegister(read.registers, name, KTSTR_TRY(frame.Unsigned(member)));
    }
    SetGdbRegister(read.registers, "rsp", sp->value() + frame_size_);
    read.user_tables = UserTables(cells);
    return read;
  }

 private:
  SleepingTasks(const Walk& walk, uint64_t stack_size)
      : walk_(walk), stack_size_(stack_size), cpus_(ListCpuContexts(walk, stack_size)) {}

  std::optional<Pa> UserTables(CellReader& task) {
    const auto mm = task.Pointer(members_.mm);
    if (!mm || mm->is_null() || !pgd_) return std::nullopt;
    const auto pgd = ObjectReader(walk_.kernel, *mm).Pointer(*pgd_);
    if (!pgd) return std::nullopt;
    const auto pa = walk_.kernel.Translate(*pgd);
    return pa ? std::optional(*pa) : std::nullopt;
  }

  Walk walk_;
  uint64_t stack_size_ = 0, frame_size_ = 0;
  std::vector<CpuContext> cpus_;
  std::vector<std::pair<Member, std::string_view>> saved_;
  SleepingMembers members_{walk_};
  MaybeMember pgd_ = Fields(walk_, "mm_struct").Need("pgd");
};

}  // namespace

std::vector<TaskOnCpu> TasksOnCpus(const GuestKernel& kernel) {
  std::vector<TaskOnCpu> on_cpus;
  Anomalies anomalies("task");
  const auto walk = Walk::Of(kernel, anomalies);
  const auto stack_size = TaskStackSize(kernel);
  if (!walk || !stack_size) return on_cpus;
  const TaskIdentities identities(*walk);
  for (const CpuContext& cpu : ListCpuContexts(*walk, *stack_size)) {
    if (cpu.vcpu == nullptr || !cpu.owner) continue;
    const TaskIdentity identity = identities.Of(*cpu.owner);
    const auto saved = kernel.saved_registers();
    const bool crashed = std::any_of(saved.begin(), saved.end(), [&](const SavedRegisters& one) {
      return &one.registers == cpu.vcpu;
    });
    on_cpus.push_back({*cpu.owner, identity.pid, SafeText(identity.comm.value_or("?")), cpu.cpu,
                       crashed, cpu.vcpu->cpu});
  }
  return on_cpus;
}

Result<SleepingTask> FindSleepingTask(const GuestKernel& kernel, int64_t pid) {
  Anomalies anomalies("task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  SleepingTasks tasks = KTSTR_TRY(SleepingTasks::Create(walk));
  const TaskIdentities identities(walk);
  for (const TaskRef& ref : KTSTR_TRY(ListTasks(walk))) {
    if (ref.idle_cpu) continue;
    const TaskIdentity identity = identities.Of(ref.task);
    if (identity.pid != pid) continue;
    if (tasks.IsOnCpu(ref.task)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("task {} is on a CPU: that CPU's thread has its registers", pid));
    }
    return tasks.Read(ref.task, identity);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("there is no thread {}", pid));
}

Result<std::vector<SleepingTask>> AllSleepingTasks(const GuestKernel& kernel) {
  Anomalies anomalies("task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  SleepingTasks tasks = KTSTR_TRY(SleepingTasks::Create(walk));
  const TaskIdentities identities(walk);
  std::vector<SleepingTask> all;
  for (const TaskRef& ref : KTSTR_TRY(ListTasks(walk))) {
    if (ref.idle_cpu || tasks.IsOnCpu(ref.task)) continue;
    const TaskIdentity identity = identities.Of(ref.task);
    if (!identity.pid || *identity.pid <= 0) continue;
    if (auto task = tasks.Read(ref.task, identity)) all.push_back(*std::move(task));
  }
  return all;
}

Result<std::vector<TaskName>> AllTaskNames(const GuestKernel& kernel) {
  Anomalies anomalies("task");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  const TaskIdentities identities(walk);
  std::vector<TaskName> names;
  for (const TaskRef& ref : KTSTR_TRY(ListTasks(walk))) {
    if (ref.idle_cpu) continue;
    const TaskIdentity identity = identities.Of(ref.task);
    if (identity.pid) names.push_back({*identity.pid, SafeText(identity.comm.value_or("?"))});
  }
  return names;
}

}  // namespace ktstr
