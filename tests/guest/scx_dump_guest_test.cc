// The kernel's own debug dump of sched_ext (SysRq-D, scx_dump_state in kernel/sched/ext.c) beside
// our tables, line for line. The kernel prints it into its log, which is in the frozen memory too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "analyze/index/index.h"
#include "analyze/memory_sql/memory_source.h"
#include "analyze/text/scx_dump.h"
#include "dump_text.h"
#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/cpu/cpu_mask.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/task/task.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;

constexpr char kVtime[] = "/vtime.bpf.o";
// PARKING_DSQ in vtime.bpf.c: where tasks stand that are not dispatched.
const Hex kParking(1000);

// "nr_run=7 flags=0x1 …" by name; some names have two values: "sticky/holding_cpu=-1/-1".
using Values = std::map<std::string, std::string>;

struct DumpedTask {
  std::string state, comm;
  int64_t pid, since_ms;
  Values values;
  std::vector<std::string> frames;  // "common_nsleep+0x43"
};

struct DumpedCpu {
  Values values;
  std::vector<DumpedTask> tasks;
};

struct Dump {
  std::map<int64_t, DumpedCpu> cpus;
  std::map<std::string, int64_t> events;
};

void AddValues(const std::string& line, Values& values) {
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) values[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

// Reads the lines of scx_dump_state(). Since 7.1 a task's line names its scheduler as well.
class DumpReader {
 public:
  Dump Read(const std::vector<LogRow>& log) {
    constexpr std::string_view kMark = "sched_ext_dump: ";
    for (const LogRow& row : log) {
      if (row.text && row.text->starts_with(kMark)) Take(row.text->substr(kMark.size()));
    }
    return std::move(dump_);
  }

 private:
  void Take(const std::string& line) {
    static const std::regex cpu(R"(CPU (\d+) *: (.*))"),
        task(R"( [*+ ](\S) (.*)\[(\d+)\](?: \S+)? ([+-]\d+)ms)"),
        frame(R"(    ([^ ]+\+0x[0-9a-f]+)/0x[0-9a-f]+)"), event(R"( *SCX_EV_(\w+): +(\d+))");
    std::smatch m;
    if (std::regex_match(line, m, cpu)) {
      cpu_ = &dump_.cpus[std::stoll(m[1])];
      task_ = nullptr;
      AddValues(m[2], cpu_->values);
    } else if (std::regex_match(line, m, event)) {
      dump_.events[m[1]] = std::stoll(m[2]);
    } else if (cpu_ != nullptr && std::regex_match(line, m, task)) {
      task_ = &cpu_->tasks.emplace_back();
      *task_ = {m[1], m[2], std::stoll(m[3]), std::stoll(m[4]), {}, {}};
    } else if (task_ != nullptr && std::regex_match(line, m, frame)) {
      task_->frames.push_back(m[1]);
    } else if (task_ != nullptr) {
      AddValues(line, task_->values);
    } else if (cpu_ != nullptr) {
      AddValues(line, cpu_->values);
    }
  }

  Dump dump_;
  DumpedCpu* cpu_ = nullptr;
  DumpedTask* task_ = nullptr;
};

uint64_t Number(const std::string& text) { return std::stoull(text, nullptr, 0); }

// The numbers of "3/0xb".
std::pair<int64_t, int64_t> Pair(const std::string& text) {
  const size_t slash = text.find('/');
  return {std::stoll(text.substr(0, slash), nullptr, 0),
          std::stoll(text.substr(slash + 1), nullptr, 0)};
}

// A scheduler that dispatches all tasks but those of one cgroup, which stand in a queue from then
// on: what the kernel says of them is the same a moment later.
class ScxDumpGuestTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.qemu = QemuForSchedulers();
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    // The dump is an event for tracers, which the kernel prints as well.
    options.kernel_cmdline = "trace_event=sched_ext:sched_ext_dump tp_printk log_buf_len=4M";
    auto machine = BootWithWork(options, "spin:2,bursty:2,pipe-wait:1");
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
    ASSERT_OK(machine_->LoadScheduler(kVtime, {{"vtime_ops.timeout_ms", 28'000}}));
    ASSERT_NO_FATAL_FAILURE(Starve());
    ASSERT_OK(machine_->WriteFile("/proc/sysrq-trigger", "D"));
    auto guest = FrozenGuest::Freeze(*machine_, directory_ / "dump.kts");
    ASSERT_OK(guest);
    guest_ = *std::move(guest);
    const auto log = WalkLog(guest_->kept());
    ASSERT_OK(log);
    dump_ = DumpReader().Read(log->rows);
    for (const LogRow& row : log->rows) {
      constexpr std::string_view kMark = "sched_ext_dump: ";
      if (row.text && row.text->starts_with(kMark)) {
        logged_.push_back(row.text->substr(kMark.size()));
      }
    }
    const auto tasks = WalkTasks(guest_->kept());
    ASSERT_OK(tasks);
    for (const TaskRow& row : tasks->rows) {
      if (row.pid && *row.pid != 0) tasks_[*row.pid] = row;
    }
  }

  // Until each of the workers with work to do has come into the queue.
  void Starve() {
    const auto report = machine_->Report();
    ASSERT_OK(report);
    json pids = json::array();
    for (const json& worker : (*report)["workers"]) {
      const auto name = worker["name"].get<std::string>();
      if (name.starts_with("spin") || name.starts_with("bursty")) pids.push_back(worker["tid"]);
    }
    ASSERT_EQ(pids.size(), 4u);
    // The weight is there for the controller, by which the scheduler knows cgroups.
    ASSERT_OK(machine_->SetUpCgroup("/starved", {{"cpu.weight", "100"}, {"cgroup.procs", pids}}));
    const auto system = machine_->SystemAccount();
    ASSERT_OK(system);
    uint64_t id = 0;
    for (const json& cgroup : (*system)["cgroups"]) {
      if (cgroup["path"] == "/starved") id = cgroup["id"].get<uint64_t>();
    }
    ASSERT_OK(machine_->SetSchedulerVariable("starve_cgroup", id));
    // Slices are 20 ms long and those that sleep wake sooner, but one that has a CPU to itself
    // keeps it until another comes: until none of them has done anything for some of the guest's
    // time.
    constexpr int64_t kStillNs = 500'000'000;
    std::map<json, json> rounds;  // by thread
    int64_t since_ns = 0, now_ns = 0;
    for (const Deadline end = After(std::chrono::seconds(60)); now_ns - since_ns < kStillNs;) {
      const auto said = machine_->Report();
      ASSERT_OK(said);
      ASSERT_GT(PollTimeout(end), 0) << "a worker goes on";
      std::map<json, json> seen;
      for (const json& worker : (*said)["workers"]) {
        if (std::ranges::find(pids, worker["tid"]) != pids.end()) {
          seen[worker["tid"]] = worker["rounds"];
        }
      }
      now_ns = (*said)["account"]["after"]["monotonic_ns"].get<int64_t>();
      if (seen != rounds) since_ns = now_ns;
      rounds = std::move(seen);
    }
  }

  bool StandsStill(int64_t pid) const {
    const auto found = tasks_.find(pid);
    return found != tasks_.end() && found->second.scx_dsq_id == kParking;
  }

  void ExpectTask(const DumpedTask& dumped);
  void ExpectStack(const DumpedTask& dumped);
  void ExpectCpu(int64_t cpu, const DumpedCpu& dumped);

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<FrozenGuest> guest_;
  Dump dump_;
  std::vector<std::string> logged_;  // the kernel's lines
  std::map<int64_t, TaskRow> tasks_;
};

// What scx_dump_task() says of it.
void ScxDumpGuestTest::ExpectTask(const DumpedTask& dumped) {
  SCOPED_TRACE(dumped.comm + " " + std::to_string(dumped.pid));
  const TaskRow& row = tasks_.at(dumped.pid);
  Values values = dumped.values;
  EXPECT_EQ(row.state, dumped.state);
  EXPECT_EQ(row.comm, dumped.comm);
  EXPECT_GE(row.scx_waiting_ms, -dumped.since_ms);
  const auto [state, flags] = Pair(values.at("scx_state/flags"));
  EXPECT_EQ(row.scx_flags, Hex(static_cast<uint64_t>(state << 8 | flags)));
  EXPECT_EQ(row.scx_dsq_flag_names.value_or("").empty(), Number(values.at("dsq_flags")) == 0);
  const auto [ops_state, qseq] = Pair(values.at("ops_state/qseq"));
  EXPECT_EQ(row.scx_ops_state == "none", ops_state == 0) << *row.scx_ops_state;
  EXPECT_EQ(row.scx_ops_qseq.value_or(0), qseq);
  const auto [sticky, holding] = Pair(values.at("sticky/holding_cpu"));
  EXPECT_EQ(row.scx_sticky_cpu.value_or(-1), sticky);
  EXPECT_EQ(row.scx_holding_cpu.value_or(-1), holding);
  EXPECT_EQ(row.scx_dsq_id, Hex(Number(values.at("dsq_id"))));
  EXPECT_EQ(row.scx_dsq_vtime, Hex(Number(values.at("dsq_vtime"))));
  EXPECT_EQ(row.affinity, ToList({std::stoull(values.at("cpus"), nullptr, 16)}));
  // Since 6.13.
  if (values.contains("slice")) {
    EXPECT_EQ(row.scx_slice_ns, static_cast<int64_t>(Number(values["slice"])));
    EXPECT_EQ(row.scx_weight, static_cast<int64_t>(Number(values["weight"])));
  }
  ExpectStack(dumped);
}

// The kernel leaves out the frames of its scheduler, and one more.
void ScxDumpGuestTest::ExpectStack(const DumpedTask& dumped) {
  const auto stack = WalkStackOf(guest_->kept(), dumped.pid);
  ASSERT_OK(stack);
  std::vector<std::string> frames;
  for (const StackFrameRow& row : stack->rows) {
    if (row.symbol && row.kind != "end") {
      frames.push_back(fmt::format("{}+{:#x}", *row.symbol, row.offset.value_or(0)));
    }
  }
  ASSERT_FALSE(dumped.frames.empty());
  ASSERT_LT(dumped.frames.size(), frames.size());
  EXPECT_EQ(std::vector(frames.end() - static_cast<ptrdiff_t>(dumped.frames.size()), frames.end()),
            dumped.frames);
}

// What scx_dump_cpu() says of it, and who stands on its list, in that order.
void ScxDumpGuestTest::ExpectCpu(int64_t cpu, const DumpedCpu& dumped) {
  SCOPED_TRACE("CPU " + std::to_string(cpu));
  const auto cpus = WalkCpus(guest_->kept());
  ASSERT_OK(cpus);
  const CpuRow& row = cpus->rows.at(static_cast<size_t>(cpu));
  Values values = dumped.values;
  EXPECT_EQ(dumped.tasks.size(), Number(values.at("nr_run")));
  // SCX_RQ_ONLINE; the others come and go with each switch.
  EXPECT_EQ(row.scx_flags.value().value & 1, Number(values.at("flags")) & 1);
  EXPECT_EQ(row.scx.cpu_released, static_cast<int64_t>(Number(values.at("cpu_rel"))));
  const std::string picks = values.contains("ksync") ? "ksync" : "pnt_seq";
  EXPECT_GE(row.scx.pnt_seq, static_cast<int64_t>(Number(values.at(picks))));

  std::vector<int64_t> standing, walked;
  for (const DumpedTask& task : dumped.tasks) {
    if (StandsStill(task.pid)) standing.push_back(task.pid);
  }
  const auto queued = WalkRqTasks(guest_->kept());
  ASSERT_OK(queued);
  // The task that runs is none of the list's.
  const auto current = tasks_.find(row.curr_pid.value());
  int64_t others = current != tasks_.end() && current->second.sched_class == "ext" ? 1 : 0;
  for (const RqTaskRow& task : queued->rows) {
    if (task.cpu != cpu || task.queue != "scx_runnable") continue;
    if (StandsStill(task.pid.value())) {
      walked.push_back(*task.pid);
    } else {
      ++others;
    }
  }
  EXPECT_EQ(walked, standing);
  EXPECT_EQ(row.scx_nr_running, static_cast<int64_t>(standing.size()) + others);
}

TEST_P(ScxDumpGuestTest, TablesSayWhatTheKernelsDumpSays) {
  EXPECT_FALSE(dump_.cpus.empty());
  size_t compared = 0;
  for (const auto& [cpu, dumped] : dump_.cpus) {
    ExpectCpu(cpu, dumped);
    for (const DumpedTask& task : dumped.tasks) {
      if (!StandsStill(task.pid)) continue;
      ExpectTask(task);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 4u);

  // Of events the kernel has counted as many or more since. Only newer kernels have them.
  const auto scx = WalkScx(guest_->kept());
  ASSERT_OK(scx);
  std::map<std::string, int64_t> events;
  for (const ScxEventRow& row : scx->events) events[row.event] = row.count;
  EXPECT_EQ(events.size(), dump_.events.size());
  for (const auto& [name, count] : dump_.events) {
    ASSERT_TRUE(events.contains(name)) << name;
    EXPECT_GE(events[name], count) << name;
  }
}

// The lines of names and values, without the values.
std::vector<std::string> WithoutValues(const std::vector<std::string>& lines) {
  static const std::regex value("=[^ ]+");
  std::vector<std::string> names;
  for (const std::string& line : lines) {
    if (line.find('=') != std::string::npos) names.push_back(std::regex_replace(line, value, "="));
  }
  return names;
}

// Our own dump of the frozen machine, and the lines that the kernel has logged a moment before: the
// same but for how long tasks wait. (The log has no empty lines.)
TEST_P(ScxDumpGuestTest, OurDumpSaysOfTheSameTasksTheSameLines) {
  auto opened = FrozenMachine::Open(directory_ / "dump.kts");
  ASSERT_OK(opened);
  const std::shared_ptr<FrozenMachine> machine = *std::move(opened);
  auto index = OpenIndex(*machine, {});
  ASSERT_OK(index);
  MemorySource memory(machine);
  const auto dumps = ScxDumps(*index, memory);
  ASSERT_OK(dumps);
  ASSERT_EQ(dumps->size(), 1u);
  const ParsedDump ours = ParseDump(dumps->front().lines), kernels = ParseDump(logged_);

  std::vector<std::string> head = kernels.head;
  std::ranges::replace(head, "Debug dump triggered by SysRq-D",
                       "Debug dump triggered by freezing the machine");
  EXPECT_EQ(ours.head, head);
  size_t compared = 0;
  for (const auto& [pid, task] : kernels.tasks) {
    // One that was still running then came into the queue a moment later.
    const bool stood = std::ranges::any_of(task.lines, [](const std::string& line) {
      return line.find(" dsq_id=0x3e8") != std::string::npos;
    });
    if (!stood || !StandsStill(pid)) continue;
    SCOPED_TRACE(pid);
    ASSERT_TRUE(ours.tasks.contains(pid));
    EXPECT_EQ(ours.tasks.at(pid).lines, task.lines);
    EXPECT_EQ(ours.tasks.at(pid).cpu, task.cpu);
    EXPECT_LE(ours.tasks.at(pid).since_ms, task.since_ms);
    ++compared;
  }
  EXPECT_GE(compared, 3u);
  EXPECT_EQ(ours.event_lines, kernels.event_lines);
  // What a CPU runs and how much is a matter of the moment, but not what is said of it. One that
  // has become idle is left out.
  size_t compared_cpus = 0;
  for (const auto& [cpu, lines] : kernels.cpus) {
    if (!ours.cpus.contains(cpu)) continue;
    ++compared_cpus;
    EXPECT_EQ(WithoutValues(ours.cpus.at(cpu)), WithoutValues(lines));
  }
  EXPECT_GE(compared_cpus, 1u);
}

INSTANTIATE_TEST_SUITE_P(Kernels, ScxDumpGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"distribution"}, {"newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr
