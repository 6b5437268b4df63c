#include "libcore/walk/stack/stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include "libcore/base/side_thread.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/stack/cpu_context.h"
#include "libcore/walk/stack/stack_batch.h"
#include "libcore/walk/stack/stack_head.h"
#include "libcore/walk/stack/unwind.h"
#include "libcore/walk/task/read_tasks.h"

namespace ktstr {

// Where the unwinding of a task's stack begins. A task on whose stack a CPU stands begins at that
// CPU's registers. Every other one was switched away by __switch_to_asm
// (arch/x86/entry/entry_64.S), which left a struct inactive_task_frame at the stack pointer that it
// kept in thread.sp: its return address and frame pointer are where unwinding begins. A task that
// was never switched to has the address of ret_from_fork_asm there.

namespace {

constexpr uint64_t kTaskDead = 0x80;  // TASK_DEAD, include/linux/sched.h

// What a task that was switched away left at its saved stack pointer: struct inactive_task_frame
// (arch/x86/include/asm/switch_to.h), above which a new one has its user registers.
struct InactiveFrame {
  Member bp, return_address;
  uint64_t size = 0, fork_size = 0;

  static Result<InactiveFrame> Of(const TypeInfo& types) {
    constexpr const char* kFrame = "inactive_task_frame";
    InactiveFrame frame;
    frame.size = KTSTR_TRY(types.SizeOf(kFrame));
    frame.bp = KTSTR_TRY(types.FindMember(kFrame, "bp"));
    frame.return_address = KTSTR_TRY(types.FindMember(kFrame, "ret_addr"));
    frame.fork_size = frame.size + KTSTR_TRY(types.SizeOf("pt_regs"));
    return frame;
  }
};

Unwound Ended(StackEnd end, std::string detail, std::optional<Kva> at = std::nullopt) {
  Unwound unwound;
  unwound.end = end;
  unwound.detail = std::move(detail);
  unwound.ip = at;
  return unwound;
}

class StackWalker {
 public:
  // What is wrong with symbols and ORC tables is noted in `of_tables`, whoever comes upon it.
  static Result<StackWalker> Create(const Walk& walk, Anomalies& of_tables, TextSymbols& text) {
    const uint64_t stack_size = KTSTR_TRY(TaskStackSize(walk.kernel));
    return StackWalker(walk, KTSTR_TRY(Unwinder::Create(walk.NotingIn(of_tables), text)),
                       KTSTR_TRY(InactiveFrame::Of(walk.types)), stack_size);
  }

  std::optional<int64_t> PidOf(const TaskRef& ref) {
    return CellReader(walk_, ref.task, "a task").Integer(pid_);
  }

  // The rows of one task, to be finished by Add: in between stands what Unwind noted of tables.
  Unwound Unwind(const StackHead& head, StackFrameRow& common) {
    const TaskRef& ref = head.task;
    TaskCells task(walk_, head, task_);
    if (head.known) {
      common = head.common;
    } else {
      columns_.Read(task.cells(), common);
    }
    common.task_kva = Hex(ref.task);
    if (ref.idle_cpu) common.cpu = *ref.idle_cpu;
    const CpuContext* cpu = CpuThatIsOn(ref.task);
    if (cpu == nullptr) return UnwindSaved(task, ref);
    common.cpu = cpu->cpu;
    common.running = 1;
    return UnwindRunning(task, *cpu);
  }

  void Add(const StackFrameRow& common, const Unwound& unwound, std::vector<StackFrameRow>& rows) {
    int64_t depth = 0;
    for (const Frame& frame : unwound.frames) {
      StackFrameRow& row = rows.emplace_back(common);
      row.depth = depth++;
      row.kind = FrameKindName(frame.kind());
      if (frame.by_frame_pointer) row.detail = "no table covers this code: by its frame pointer";
      row.ip = Hex(frame.ip);
      row.sp = Hex(frame.sp);
      if (frame.stack) row.stack = StackKindName(*frame.stack);
      const TextPlace& place = frame.code->place;
      if (!place.symbol.empty()) {
        row.symbol = place.symbol;
        row.offset = static_cast<int64_t>(frame.ip - place.begin);
      }
      if (!place.module.empty()) row.module = place.module;
    }
    StackFrameRow& end = rows.emplace_back(common);
    end.depth = depth;
    end.kind = "end";
    if (unwound.ip) end.ip = Hex(*unwound.ip);
    if (unwound.sp) end.sp = Hex(*unwound.sp);
    end.reason = StackEndName(unwound.end);
    if (!unwound.detail.empty()) end.detail = unwound.detail;
    if (!IsWhole(unwound.end)) {
      walk_.anomalies.Add(*end.reason, unwound.ip,
                          fmt::format("the stack of task {} at depth {}: {}",
                                      common.pid ? std::to_string(*common.pid) : "(unknown)", depth,
                                      unwound.detail));
    }
  }

 private:
  StackWalker(const Walk& walk, Unwinder unwinder, const InactiveFrame& frame, uint64_t stack_size)
      : walk_(walk),
        unwinder_(std::move(unwinder)),
        frame_(frame),
        stack_size_(stack_size),
        cpus_(ListCpuContexts(walk, stack_size)) {}

  const CpuContext* CpuThatIsOn(Kva task) const {
    for (const CpuContext& cpu : cpus_) {
      if (cpu.owner == task) return &cpu;
    }
    return nullptr;
  }

  StackArea AreaOf(Kva stack) const { return {StackKind::kTask, stack, stack + stack_size_}; }

  Unwound UnwindRunning(TaskCells& task, const CpuContext& cpu) {
    const VcpuRegisters& vcpu = *cpu.vcpu;
    if (vcpu.mode() == VcpuMode::kUser) {
      Unwound unwound = Ended(StackEnd::kUserMode, "executing", Kva(vcpu.rip));
      unwound.sp = Kva(vcpu.reg(Gpr::kRsp));
      return unwound;
    }
    std::vector<StackArea> areas = cpu.stacks;
    if (const auto stack = task.Stack(); stack && !stack->is_null()) {
      areas.insert(areas.begin(), AreaOf(*stack));
    }
    UnwindStart start;
    start.ip = Kva(vcpu.rip);
    start.sp = Kva(vcpu.reg(Gpr::kRsp));
    start.bp = vcpu.reg(Gpr::kRbp);
    start.exact = true;
    start.registers = {vcpu.reg(Gpr::kRcx), vcpu.reg(Gpr::kRdx), vcpu.reg(Gpr::kRdi),
                       vcpu.reg(Gpr::kRbp), vcpu.reg(Gpr::kR10), vcpu.reg(Gpr::kR13),
                       vcpu.reg(Gpr::kRax)};
    start.task = task.cells().object().base();
    return unwinder_.Unwind(start, areas);
  }

  Unwound UnwindSaved(TaskCells& task, const TaskRef& ref) {
    const Kva kva = ref.task;
    for (const CpuContext& cpu : cpus_) {
      if (cpu.vcpu == nullptr && !cpu.stopped && (cpu.current == kva || cpu.rq_curr == kva)) {
        return Ended(StackEnd::kNoRegisters,
                     fmt::format("CPU {}, whose registers are not there", cpu.cpu));
      }
    }
    const auto stack = task.Stack();
    const auto users = task.Users();
    const auto sp = task.SavedSp();
    if (!stack || !sp) return Ended(StackEnd::kUnreadable, "the task itself", kva);
    if (stack->is_null() || users == 0) return WithoutStack(task);
    const StackArea area = AreaOf(*stack);
    if (!area.Contains(*sp, frame_.size) || (sp->value() & 7) != 0) {
      return Ended(StackEnd::kOffStack, "the saved stack pointer is not on the task's stack", *sp);
    }
    // What a CPU begins on stands where a new task's user registers would (do_boot_cpu() in
    // arch/x86/kernel/smpboot.c): above any frame that could be switched to.
    if (ref.idle_cpu && area.end - *sp < frame_.fork_size) {
      return Ended(StackEnd::kNotStarted, fmt::format("CPU {} never came up", *ref.idle_cpu));
    }
    ObjectReader frame(walk_.kernel, *sp);
    const auto bp = frame.Unsigned(frame_.bp);
    const auto ip = frame.Pointer(frame_.return_address);
    if (!bp || !ip) {
      return Ended(StackEnd::kUnreadable, (bp ? ip.error() : bp.error()).ToString(), *sp);
    }
    const bool never_ran = *ip == unwinder_.fork_return();
    if (!never_ran && IsOff(ref)) {
      return Ended(StackEnd::kNotStarted, fmt::format("CPU {} is off", *ref.idle_cpu));
    }
    UnwindStart start = {*ip, *sp + frame_.size, *bp, never_ran, std::nullopt, kva};
    Unwound unwound = unwinder_.Unwind(start, std::span(&area, 1));
    if (never_ran && unwound.end == StackEnd::kEndOfStack) unwound.end = StackEnd::kNeverRan;
    return unwound;
  }

  // An idle task goes on without being switched away from while its CPU is on: of a CPU that was
  // switched off, what was saved last is long past.
  bool IsOff(const TaskRef& ref) const {
    if (!ref.idle_cpu) return false;
    for (const CpuContext& cpu : cpus_) {
      if (cpu.cpu == *ref.idle_cpu) return cpu.vcpu == nullptr && cpu.online == false;
    }
    return false;
  }

  Unwound WithoutStack(TaskCells& task) {
    const auto state = task.State(), exit_state = task.ExitState();
    const bool dead = (exit_state && *exit_state != 0) || (state && (*state & kTaskDead) != 0);
    if (dead) return Ended(StackEnd::kFreed, "the task is dead");
    return Ended(StackEnd::kOffStack, "the task has no stack, but is not dead");
  }

  Walk walk_;
  RowReader<StackFrameRow> columns_{walk_};
  TaskStackMembers task_{walk_};
  MaybeMember pid_ = Fields(walk_, kTaskStruct).Need(task_member::kPid);
  Unwinder unwinder_;
  InactiveFrame frame_;
  uint64_t stack_size_;
  std::vector<CpuContext> cpus_;
};

// What one thread walks stacks with. All that changes on the way, such as what is known of an
// instruction, is its own.
class StackThread {
 public:
  explicit StackThread(const Walk& walk) : walk_(walk.NotingIn(found_)) {}

  // Errors: those of WalkStacks. What is wrong is noted in walk.anomalies.
  Status Begin(const Walk& walk) {
    text_.emplace(walk_.NotingIn(of_tables_));
    walker_.emplace(KTSTR_TRY(StackWalker::Create(walk_, of_tables_, *text_)));
    StackBatch batch;
    Note(of_tables_, true, batch);
    Note(found_, false, batch);
    for (const NotedOfStack& noted : batch.noted) noted.AddTo(walk.anomalies);
    return {};
  }

  std::optional<int64_t> PidOf(const TaskRef& ref) { return walker_->PidOf(ref); }

  // What is noted beside stacks.
  void NoteRest(StackBatch& batch) { Note(found_, false, batch); }

  void Run(const StackHead& head, StackBatch& batch) {
    StackFrameRow common;
    const Unwound unwound = walker_->Unwind(head, common);
    Note(found_, false, batch);
    Note(of_tables_, true, batch);
    walker_->Add(common, unwound, batch.rows);
    Note(found_, false, batch);
    batch.tasks.push_back({head.task.task, batch.rows.size(), batch.noted.size()});
  }

 private:
  static void Note(Anomalies& anomalies, bool once, StackBatch& batch) {
    if (anomalies.rows().empty()) return;
    for (AnomalyRow& row : std::exchange(anomalies, Anomalies("stack_frame")).Take()) {
      batch.noted.push_back({std::move(row), once});
    }
  }

  Anomalies found_{"stack_frame"}, of_tables_{"stack_frame"};
  Walk walk_;
  std::optional<TextSymbols> text_;
  std::optional<StackWalker> walker_;
};

// Memory that was not looked at before is most of the work, and two threads look at it.
Result<std::vector<StackHead>> ReadHeads(const Walk& walk, int threads, bool at_rest) {
  if (!at_rest) {
    const auto leave = [](const TaskRef& task) { return StackHead{.task = task, .common = {}}; };
    return ReadTasks<StackHead>(walk, leave, nullptr);
  }
  const StackHeadReader reader(walk);
  const auto make_other = [](const Walk& beside) {
    auto other = std::make_shared<StackHeadReader>(beside);
    return [other](const TaskRef& task) { return other->Read(task); };
  };
  const auto read = [&reader](const TaskRef& task) { return reader.Read(task); };
  if (threads == 1) return ReadTasks<StackHead>(walk, read, nullptr);
  return ReadTasks<StackHead>(walk, read, make_other);
}

int ThreadsFor(size_t tasks) {
  // With fewer, what each thread begins with would cost more than it saves.
  constexpr size_t kManyTasks = 1000;
  constexpr int kMostThreads = 4;
  if (tasks < kManyTasks) return 1;
  return std::clamp<int>(int(std::thread::hardware_concurrency()), 1, kMostThreads);
}

// Batches that threads take one after the other, until one fails or there are rows enough.
class StackBatches {
 public:
  StackBatches(std::span<const StackHead> tasks, size_t most_rows)
      : tasks_(tasks), most_rows_(most_rows), batches_((tasks.size() + kTasks - 1) / kTasks) {}

  void Work(StackThread& thread) {
    for (size_t i = next_++; i < batches_.size() && rows_ <= most_rows_; i = next_++) {
      for (const StackHead& task : tasks_.subspan(i * kTasks).first(SizeOf(i))) {
        thread.Run(task, batches_[i]);
      }
      rows_ += batches_[i].rows.size();
    }
  }
  size_t rows() const { return rows_; }
  std::span<StackBatch> all() { return batches_; }

 private:
  // Some hundred microseconds of work.
  static constexpr size_t kTasks = 32;
  size_t SizeOf(size_t i) const { return std::min(kTasks, tasks_.size() - i * kTasks); }

  std::span<const StackHead> tasks_;
  const size_t most_rows_;
  std::vector<StackBatch> batches_;
  std::atomic<size_t> next_ = 0, rows_ = 0;
};

}  // namespace

Result<Walked<StackFrameRow>> WalkStacks(const GuestKernel& kernel, const WalkLimits& limits,
                                         int threads, bool at_rest) {
  Anomalies anomalies("stack_frame");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  const std::vector<StackHead> tasks = KTSTR_TRY(ReadHeads(walk, threads, at_rest));
  const WalkMeter meter = *walk.meter;
  StackThread own(walk);
  KTSTR_TRY(own.Begin(walk));
  if (threads == 0) threads = ThreadsFor(tasks.size());
  StackBatches batches(tasks, limits.max_all_nodes);
  {
    std::vector<std::jthread> helpers;
    for (int i = 1; i < threads; ++i) {
      auto helper = TryThread([&] {
        // The first thread has told of what is wrong at the begin.
        Anomalies ignored("");
        Walk beside = walk.NotingIn(ignored);
        beside.meter = std::make_shared<WalkMeter>(meter);
        StackThread thread(beside);
        if (thread.Begin(beside)) batches.Work(thread);
      });
      if (!helper) break;
      helpers.push_back(*std::move(helper));
    }
    batches.Work(own);
  }
  StackCollector collector(walk);
  collector.Reserve(batches.rows());
  for (StackBatch& batch : batches.all()) {
    if (!collector.Add(std::exchange(batch, {}))) break;
  }
  Walked<StackFrameRow> walked;
  walked.rows = std::move(collector).Take();
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

Result<Walked<StackFrameRow>> WalkStackOf(const GuestKernel& kernel, int64_t pid,
                                          const WalkLimits& limits) {
  Anomalies anomalies("stack_frame");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  const std::vector<TaskRef> tasks = KTSTR_TRY(ListTasks(walk));
  StackThread thread(walk);
  KTSTR_TRY(thread.Begin(walk));
  StackBatch batch;
  for (const TaskRef& task : tasks) {
    if (thread.PidOf(task) == pid) thread.Run({.task = task, .common = {}}, batch);
  }
  thread.NoteRest(batch);
  if (batch.rows.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no thread {}", pid));
  }
  for (const NotedOfStack& noted : batch.noted) noted.AddTo(anomalies);
  return Walked<StackFrameRow>{std::move(batch.rows), std::move(anomalies).Take()};
}

}  // namespace ktstr
