// The stacks of real frozen guests: tasks that are parked in known functions show them, and every
// task that sleeps shows what the guest's own kernel shows of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/task/task.h"
#include "libcore/walk/wait/pipe_end.h"
#include "libcore/walk/wait/wait.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::StartsWith;

struct Configuration {
  std::string name;
  std::string kernel;  // Debian's stock one of that version, or our sched_ext one of that variant
  int cpus;
  const char* cmdline;
};

void PrintTo(const Configuration& c, std::ostream* os) { *os << c.name; }

struct Account {
  Walked<TaskRow> tasks;
  Walked<StackFrameRow> stacks;
  Walked<LockWaitRow> waits;
  Walked<PipeEndRow> pipes;
};

Result<Account> TakeAccount(const GuestKernel& kernel) {
  Account account{{}, KTSTR_TRY(WalkStacks(kernel)), {}, {}};
  account.waits = KTSTR_TRY(WalkLockWaits(kernel, account.stacks.rows));
  account.pipes = KTSTR_TRY(WalkPipeEnds(kernel, account.waits.rows));
  account.tasks = KTSTR_TRY(WalkTasks(kernel, account.stacks.rows));
  return account;
}

using Stack = std::vector<const StackFrameRow*>;

std::vector<std::string> SymbolsOf(const Stack& stack) {
  std::vector<std::string> symbols;
  for (const StackFrameRow* frame : stack) {
    if (frame->symbol) symbols.push_back(*frame->symbol);
  }
  return symbols;
}

class StackGuestTest : public testing::TestWithParam<Configuration> {
 protected:
  void SetUp() override {
    const std::string kernel = GetParam().kernel;
    MachineOptions options;
    options.kernel = AnyKernel(kernel);
    options.cpus = GetParam().cpus;
    options.kernel_cmdline = GetParam().cmdline;
    const std::vector<WorkerSpec> workers = {
        {.kind = "sleep", .parameters = nlohmann::json{{"us", 3'000'000'000}}},
        {.kind = "futex-wait"},
        {.kind = "pipe-wait"},
        {.kind = "zombie"},
        {.kind = "mutex-wait"},
        {.kind = "spin", .count = 2},
        {.kind = "yield"}};
    auto machine =
        ReadyGuest(options, [&](GuestMachine& guest) { return guest.StartWorkers(workers); });
    ASSERT_OK(machine);
    const auto report = (*machine)->Report();
    ASSERT_OK(report);
    proc_ = (*report)["account"]["tasks"];
    auto guest = FrozenGuest::Freeze(**machine, directory_ / "a.kts");
    ASSERT_OK(guest);
    const auto live = TakeAccount((*guest)->live());
    ASSERT_OK(live);
    auto kept = TakeAccount((*guest)->kept());
    ASSERT_OK(kept);
    EXPECT_EQ(live->stacks.rows, kept->stacks.rows);
    EXPECT_EQ(live->tasks.rows, kept->tasks.rows);
    EXPECT_EQ(live->waits.rows, kept->waits.rows);
    EXPECT_EQ(live->pipes.rows, kept->pipes.rows);
    account_ = *std::move(kept);
    ExpectNoAnomalies({&account_.waits.anomalies, &account_.pipes.anomalies});
    for (const StackFrameRow& frame : account_.stacks.rows) {
      stacks_[frame.task_kva.value].push_back(&frame);
    }
    EXPECT_EQ(account_.stacks.anomalies.size(), 0u) << Frames();
  }

  // The frames of the tasks that are on CPUs, for a failure's message.
  std::string Frames() const {
    std::ostringstream text;
    for (const StackFrameRow& frame : account_.stacks.rows) {
      if (frame.running == 0) continue;
      text << frame.pid.value_or(-1) << " " << frame.depth << " " << frame.kind << " "
           << frame.symbol.value_or("-") << "+0x" << std::hex << frame.offset.value_or(0)
           << std::dec << " " << frame.stack.value_or("-") << " " << frame.reason.value_or("")
           << " " << frame.detail.value_or("") << "\n";
    }
    return text.str();
  }
  const TaskRow* Named(const std::string& comm) const {
    for (const TaskRow& task : account_.tasks.rows) {
      if (task.comm == comm) return &task;
    }
    return nullptr;
  }
  const Stack& StackOf(const TaskRow& task) { return stacks_[task.task_kva.value().value]; }
  std::vector<std::string> SymbolsOfTask(const std::string& comm) {
    const TaskRow* task = Named(comm);
    return task == nullptr ? std::vector<std::string>() : SymbolsOf(StackOf(*task));
  }
  std::string EndOfTask(const std::string& comm) {
    const TaskRow* task = Named(comm);
    return task == nullptr ? "(no such task)" : StackOf(*task).back()->reason.value();
  }

  void ExpectParkedTasksToShowWhereTheyWait();
  void ExpectRunningTasksToBeSeenThroughInterrupts();
  void ExpectNoStackWhereThereIsNone();
  void ExpectWhatSleepersWaitFor();
  void ExpectSleepersAsTheGuestsKernelShowsThem();

  TemporaryDirectory directory_;
  json proc_;
  Account account_;
  std::map<uint64_t, Stack> stacks_;
};

// The lines of /proc/PID/stack, "[<0>] symbol+0x12/0x34 [module]", as "symbol+0x12".
std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t begin = line.find("] "), end = line.find('/');
    if (begin == std::string::npos || end == std::string::npos) continue;
    lines.push_back(line.substr(begin + 2, end - begin - 2));
  }
  return lines;
}

std::vector<std::string> LinesOf(const Stack& stack) {
  std::vector<std::string> lines;
  for (const StackFrameRow* frame : stack) {
    if (frame->kind == "end") continue;
    std::ostringstream line;
    line << frame->symbol.value_or("?") << "+0x" << std::hex << frame->offset.value_or(0);
    lines.push_back(line.str());
  }
  return lines;
}

void StackGuestTest::ExpectParkedTasksToShowWhereTheyWait() {
  EXPECT_THAT(SymbolsOfTask("sleep-0"), Contains("hrtimer_nanosleep"));
  EXPECT_THAT(SymbolsOfTask("futex-wait-0"), Contains("futex_wait"));
  EXPECT_THAT(SymbolsOfTask("pipe-wait-0"), Contains(AnyOf("pipe_read", "anon_pipe_read")));
  for (const char* parked : {"sleep-0", "futex-wait-0", "pipe-wait-0"}) {
    SCOPED_TRACE(parked);
    ASSERT_NE(Named(parked), nullptr);
    EXPECT_THAT(SymbolsOfTask(parked), Contains("do_syscall_64"));
    EXPECT_EQ(EndOfTask(parked), "user mode");
    EXPECT_EQ(StackOf(*Named(parked)).end()[-2]->kind, "syscall");
  }
  EXPECT_EQ(Named("sleep-0")->wchan, "hrtimer_nanosleep");
}

void StackGuestTest::ExpectRunningTasksToBeSeenThroughInterrupts() {
  for (const char* name : {"spin-0", "spin-1", "yield-0"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(EndOfTask(name), "user mode");
  }
  // A CPU is on one task's stack, and every stack has one end, the last row.
  std::multiset<int64_t> on;
  for (const auto& [task, stack] : stacks_) {
    if (stack.front()->running == 1) on.insert(stack.front()->cpu.value());
    for (const StackFrameRow* frame : stack) {
      EXPECT_EQ(frame->kind == "end", frame == stack.back());
    }
  }
  for (const int64_t cpu : on) EXPECT_EQ(on.count(cpu), 1u) << "CPU " << cpu;
  const auto online = std::string(GetParam().cmdline).find("maxcpus=1") == std::string::npos
                          ? static_cast<size_t>(GetParam().cpus)
                          : size_t{1};
  EXPECT_EQ(on.size(), online);
}

void StackGuestTest::ExpectNoStackWhereThereIsNone() {
  size_t zombies = 0, idle_not_started = 0;
  for (const TaskRow& task : account_.tasks.rows) {
    const Stack& stack = StackOf(task);
    ASSERT_FALSE(stack.empty());
    if (task.state == "Z") {
      ++zombies;
      EXPECT_EQ(stack.back()->reason, "freed");
      EXPECT_EQ(stack.size(), 1u);
    }
    const std::string& reason = *stack.back()->reason;
    if (task.pid == 0 && (reason == "not started" || reason == "never ran")) ++idle_not_started;
  }
  EXPECT_GE(zombies, 1u);
  const bool one = std::string(GetParam().cmdline).find("maxcpus=1") != std::string::npos;
  EXPECT_EQ(idle_not_started, one ? static_cast<size_t>(GetParam().cpus) - 1 : 0u);
}

void StackGuestTest::ExpectWhatSleepersWaitFor() {
  const auto find = [&](const std::string& comm) -> const LockWaitRow* {
    for (const LockWaitRow& row : account_.waits.rows) {
      if (row.comm == comm) return &row;
    }
    ADD_FAILURE() << comm << " waits for nothing";
    return nullptr;
  };
  const LockWaitRow* futex = find("futex-wait-0");
  const LockWaitRow* pipe = find("pipe-wait-0");
  if (futex == nullptr || pipe == nullptr) return;
  EXPECT_EQ(futex->kind, "futex");
  EXPECT_TRUE(futex->futex_address && futex->futex_address->value != 0);
  EXPECT_EQ(pipe->kind, "pipe");
  EXPECT_EQ(pipe->pipe_readers, 1);
  EXPECT_EQ(pipe->pipe_writers, 1);
  // It has both ends open itself: nobody else can write.
  std::set<std::pair<std::string, int64_t>> ends;
  for (const PipeEndRow& end : account_.pipes.rows) {
    if (end.pipe_kva == pipe->lock_kva) ends.insert({end.open_for, end.pid.value_or(-1)});
  }
  EXPECT_THAT(ends, ElementsAre(std::pair("read", *pipe->pid), std::pair("write", *pipe->pid)));
  // Of the two readers of the console one holds a mutex and waits for a character, the other waits
  // for that mutex.
  const LockWaitRow* a = find("mutex-wait-0a");
  const LockWaitRow* b = find("mutex-wait-0b");
  if (a == nullptr || b == nullptr) return;
  // With PREEMPT_RT a mutex is an rt_mutex, whose waiters are in a tree.
  const auto is_mutex = [](const LockWaitRow& row) {
    return row.kind == "mutex" || row.kind == "rt_mutex";
  };
  const LockWaitRow& waiter = is_mutex(*a) ? *a : *b;
  const LockWaitRow& holder = is_mutex(*a) ? *b : *a;
  EXPECT_TRUE(is_mutex(waiter)) << waiter.kind;
  EXPECT_EQ(waiter.owner_pid, holder.pid);
  EXPECT_EQ(waiter.waiters, waiter.kind == "mutex" ? std::optional(1) : std::nullopt);
  EXPECT_EQ(holder.kind, "wait queue");
}

void StackGuestTest::ExpectSleepersAsTheGuestsKernelShowsThem() {
  std::map<int64_t, const TaskRow*> by_pid;
  for (const TaskRow& task : account_.tasks.rows) by_pid[task.pid.value_or(-1)] = &task;
  size_t compared = 0, being_switched = 0;
  for (const json& shown : proc_) {
    const auto found = by_pid.find(shown["pid"].get<int64_t>());
    if (found == by_pid.end() || !found->second->wchan) continue;
    const TaskRow& task = *found->second;
    if (task.nvcsw != shown["nvcsw"] || task.nivcsw != shown["nivcsw"]) continue;
    SCOPED_TRACE(std::to_string(*task.pid) + " " + *task.comm);
    const auto expected = LinesOf(shown["stack"].get<std::string>());
    auto lines = LinesOf(StackOf(task));
    if (expected.empty()) continue;
    // The kernel leaves out its scheduler's own functions, the innermost ones, and what waits for
    // an rt_mutex, which counts as such.
    std::erase_if(lines, [&](const std::string& line) {
      return line.starts_with("rt_mutex_slowlock") && std::ranges::count(expected, line) == 0;
    });
    ASSERT_GE(lines.size(), expected.size());
    lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(expected.size()));
    EXPECT_THAT(lines, ElementsAreArray(expected));
    // The kernel shows 0 of one that it is just switching away from, whose saved frame is the last
    // one: counted already, but still on its CPU.
    const auto wchan = shown["wchan"].get<std::string>();
    if (wchan == "0") {
      ++being_switched;
      continue;
    }
    EXPECT_EQ(task.wchan, wchan);
    ++compared;
  }
  EXPECT_GT(compared, 20u);
  EXPECT_LE(being_switched, 1u);
}

TEST_P(StackGuestTest, EveryTaskShowsWhatItIsInTheMiddleOf) {
  ExpectParkedTasksToShowWhereTheyWait();
  ExpectRunningTasksToBeSeenThroughInterrupts();
  ExpectNoStackWhereThereIsNone();
  ExpectWhatSleepersWaitFor();
  ExpectSleepersAsTheGuestsKernelShowsThem();
}

TEST(BpfStackGuestTest, ProgramsOnACpuAreFramesWithTheirNames) {
  constexpr char kVtime[] = "/vtime.bpf.o";
  MachineOptions options;
  options.kernel = SchedExtKernel("small");
  options.cpus = 4;
  options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
  const auto machine = BootWithWork(options, "spin:8");
  ASSERT_OK(machine);
  // Slices are short beside what each dispatch then takes: CPUs are in it nearly all the time.
  ASSERT_OK((*machine)->LoadScheduler(kVtime,
                                      {{"slice_ns", 1'000'000}, {"vtime_ops.timeout_ms", 25'000}}));
  ASSERT_OK((*machine)->SetSchedulerVariable("busy_rounds", 1 << 20));
  ASSERT_OK((*machine)->SchedulerState());
  TemporaryDirectory directory;
  const auto guest = FrozenGuest::Freeze(**machine, directory / "a.kts");
  ASSERT_OK(guest);
  const auto stacks = WalkStacks((*guest)->kept());
  ASSERT_OK(stacks);

  // From the program through what calls it to where the task was interrupted or gave up its CPU.
  std::map<uint64_t, Stack> in_dispatch;
  for (const StackFrameRow& frame : stacks->rows)
    in_dispatch[frame.task_kva.value].push_back(&frame);
  std::erase_if(in_dispatch, [](const auto& entry) {
    return std::none_of(entry.second.begin(), entry.second.end(), [](const StackFrameRow* frame) {
      return frame->symbol && frame->symbol->find("vtime_dispatch") != std::string::npos;
    });
  });
  EXPECT_FALSE(in_dispatch.empty());
  for (const auto& [task, stack] : in_dispatch) {
    EXPECT_EQ(stack.front()->running, 1);
    const auto program = std::find_if(stack.begin(), stack.end(), [](const StackFrameRow* frame) {
      return frame->symbol.value_or("").find("vtime_dispatch") != std::string::npos;
    });
    EXPECT_EQ((*program)->kind, "bpf");
    EXPECT_THAT(*(*program)->symbol, StartsWith("bpf_prog_"));
    const std::vector<std::string> callers = SymbolsOf(Stack(program, stack.end()));
    EXPECT_THAT(callers, Contains(testing::HasSubstr("balance_")));
    EXPECT_THAT(callers, Contains("__schedule"));
    EXPECT_THAT(stack.back()->reason.value(), AnyOf("user mode", "end of stack"));
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, StackGuestTest,
                         testing::Values(Configuration{"Linux612", "6.12", 2, ""},
                                         Configuration{"Linux61", "6.1", 2, ""},
                                         Configuration{"SchedExtSmall", "small", 4, ""},
                                         Configuration{"SchedExtDistribution", "distribution", 2,
                                                       ""},
                                         Configuration{"OneOfTwoCpus", "small", 2, "maxcpus=1"}),
                         [](const auto& info) { return info.param.name; });

std::vector<Configuration> Others() {
  std::vector<Configuration> others;
  for (const std::string& kernel : OtherKernels({"newest-7"})) {
    others.push_back({KernelTestName(kernel), kernel, 2, ""});
  }
  return others;
}
INSTANTIATE_TEST_SUITE_P(Others, StackGuestTest, testing::ValuesIn(Others()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr
