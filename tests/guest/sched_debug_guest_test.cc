// A sched_ext guest with debugfs: what its kernel's own debug file says of tasks and run queues,
// field by field; and what the rules find when its scheduler stalls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "analyze/index/index.h"
#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/task/task.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kVtime[] = "/vtime.bpf.o";

// "12.000345", milliseconds and nanoseconds below them, in ns.
int64_t Nanoseconds(const std::string& text) {
  const size_t point = text.find('.');
  const int64_t ms = std::stoll(text.substr(0, point)), ns = std::stoll(text.substr(point + 1));
  return ms * 1'000'000 + (text.starts_with('-') ? -ns : ns);
}

// What of nanoseconds the kernel's notation tells: it has no sign where no millisecond is full
// (nsec_high() and nsec_low() in kernel/sched/debug.c write -0.3 ms as "0.300000").
int64_t AsShown(int64_t ns) { return ns > -1'000'000 ? std::abs(ns) : ns; }

struct ShownTask {
  bool running;
  std::string comm;
  int64_t vruntime, deadline, slice_ns, sum_exec_ns, switches, prio;
};

// A line of the tables "runnable tasks" (print_task() in kernel/sched/debug.c of 6.12; that of 7.3
// has the weight as well, before the vruntime).
std::map<int64_t, ShownTask> TasksIn(const std::string& text) {
  static const std::regex line_of_task(
      R"(^(?:>R| \S)\s+(.+?)\s+(\d+)\s+(?:\d+\s+)?(-?\d+\.\d+)\s+[EN]\s+(-?\d+\.\d+)\s+S?\s*(\d+\.\d+)\s+(\d+\.\d+)\s+(\d+)\s+(\d+)\s.*)");
  std::map<int64_t, ShownTask> tasks;
  std::istringstream in(text);
  std::smatch m;
  for (std::string line; std::getline(in, line);) {
    if (!std::regex_match(line, m, line_of_task)) continue;
    tasks[std::stoll(m[2])] = {line.starts_with(">R"), m[1],
                               Nanoseconds(m[3]),      Nanoseconds(m[4]),
                               Nanoseconds(m[5]),      Nanoseconds(m[6]),
                               std::stoll(m[7]),       std::stoll(m[8])};
  }
  return tasks;
}

// The text of ".name   : value" in each CPU's part, in the order of CPUs.
std::vector<std::string> ValuesOf(const std::string& text, const std::string& name) {
  std::vector<std::string> values;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("  ." + name + " ")) continue;
    values.push_back(line.substr(line.find(": ") + 2));
  }
  return values;
}

class SchedDebugGuestTest : public testing::TestWithParam<std::string> {
 protected:
  void Boot(const char* work, const json& variables) {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.qemu = QemuForSchedulers();
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    auto machine = BootWithWork(options, work);
    ASSERT_OK(machine);
    machine_ = std::move(*machine);
    ASSERT_OK(machine_->LoadScheduler(kVtime, variables));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
};

TEST_P(SchedDebugGuestTest, TasksAndRunQueuesAreAsTheKernelsDebugFileShowsThem) {
  ASSERT_NO_FATAL_FAILURE(
      Boot("spin:2,sleep:2,futex-wait:2,pipe-wait:2", {{"vtime_ops.timeout_ms", 20'000}}));
  const auto account = machine_->SystemAccount();
  ASSERT_OK(account);
  const std::string text = (*account)["sched_debug"].get<std::string>();
  const auto guest = FrozenGuest::Freeze(*machine_, directory_ / "a.kts");
  ASSERT_OK(guest);
  const auto tasks = WalkTasks((*guest)->kept());
  ASSERT_OK(tasks);
  const auto cpus = WalkCpus((*guest)->kept());
  ASSERT_OK(cpus);

  const auto shown = TasksIn(text);
  size_t stood_still = 0;
  for (const TaskRow& row : tasks->rows) {
    const auto found = shown.find(row.pid.value());
    if (found == shown.end() || row.on_rq != 0) continue;
    const ShownTask& task = found->second;
    // One that ran on behind its line may be off its queue, and yet not be counted as switched.
    if (task.running) continue;
    if (*row.nvcsw + *row.nivcsw != task.switches) continue;
    SCOPED_TRACE(std::to_string(*row.pid) + " " + *row.comm);
    ++stood_still;
    EXPECT_EQ(row.comm, task.comm);
    EXPECT_EQ(AsShown(row.vruntime.value()), task.vruntime);
    EXPECT_EQ(AsShown(row.deadline.value()), task.deadline);
    EXPECT_EQ(row.slice_ns, task.slice_ns);
    EXPECT_EQ(row.sum_exec_runtime_ns, task.sum_exec_ns);
    EXPECT_EQ(row.prio, task.prio);
  }
  EXPECT_GT(stood_still, 20u) << text.substr(std::min(text.find("runnable tasks"), text.size()),
                                             900);

  const auto switches = ValuesOf(text, "nr_switches"), clocks = ValuesOf(text, "clock");
  ASSERT_EQ(switches.size(), cpus->rows.size());
  ASSERT_EQ(clocks.size(), cpus->rows.size());
  for (size_t i = 0; i < switches.size(); ++i) {
    SCOPED_TRACE("CPU " + std::to_string(i));
    EXPECT_GE(cpus->rows[i].nr_switches, std::stoll(switches[i]));
    EXPECT_LT(cpus->rows[i].nr_switches, std::stoll(switches[i]) + 1'000'000);
    EXPECT_GE(cpus->rows[i].clock_ns, Nanoseconds(clocks[i]));
  }
}

TEST_P(SchedDebugGuestTest, AStalledSchedulerIsFoundWithWhoWaits) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:3,sleep:1", {{"vtime_ops.timeout_ms", 25'000}}));
  ASSERT_OK(machine_->SetSchedulerVariable("stall", 1));
  // Until it has stalled for longer than the rules bear; init tells the guest's time.
  const auto now = [&]() -> int64_t {
    const auto report = machine_->Report();
    return report ? (*report)["account"]["after"]["monotonic_ns"].get<int64_t>() : INT64_MAX;
  };
  const int64_t end = now() + 1'500'000'000;
  while (now() < end) continue;
  ASSERT_OK(FrozenGuest::Freeze(*machine_, directory_ / "a.kts"));

  const auto index = OpenIndex(directory_ / "a.kts", {});
  ASSERT_OK(index);
  const auto rows = index->Query("SELECT rule || ' ' || subject || ': ' || detail FROM finding");
  ASSERT_OK(rows);
  std::vector<std::string> findings;
  for (const auto& row : rows->rows) findings.push_back(std::get<std::string>(row[0]));
  EXPECT_THAT(findings, Contains(AllOf(StartsWith("dsq_piled_up DSQ 0x0"),
                                       HasSubstr("wait in this user queue"))));
  // The kernel lets a spinner run on where nothing else was dispatched; not all three of them.
  EXPECT_THAT(findings, Contains(AllOf(StartsWith("long_wait spin-"), HasSubstr("class ext"))));
}

INSTANTIATE_TEST_SUITE_P(Kernels, SchedDebugGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"distribution"}, {"newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr
