// `ktstr-analyze FILE dump` beside the debug dump that the kernel itself wrote when its scheduler
// failed (scx_dump_state in kernel/sched/ext.c), line for line. The machine is frozen when that is
// written, and before the scheduler is taken down.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "analyze/index/index.h"
#include "analyze/memory_sql/memory_source.h"
#include "analyze/text/scx_dump.h"
#include "dump_text.h"
#include "guest_kernels.h"
#include "guest_tests.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::SizeIs;

// A scheduler that stops dispatching and then says an error: its tasks stand where they are. The
// first archive is made when the error is known, the second when the work is about to begin that
// takes the scheduler down (scx_ops_disable_workfn), and the dump has been written.
constexpr char kScenario[] = R"(
[machine]
kernel = "scx-small"
cpus = 2
[scheduler]
object = "vtime"
[[worker]]
kind = "spin"
count = 4
[[worker]]
kind = "sleep"
count = 2
[[phase]]
name = "healthy"
duration = "200ms"
[[phase]]
name = "stalled"
duration = "300ms"
set = { stall = 1 }
[[phase]]
name = "failed"
duration = "5s"
set = { error = 1 }
[[trigger]]
on = "scheduler-exit"
fails = false
most = 2
)";

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class ScxExitDumpTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const fs::path scenario = directory_ / "test.toml";
    std::ofstream(scenario) << kScenario;
    std::vector<std::string> arguments = {scenario.string()};
    if (GetParam() != "small") {
      arguments.insert(arguments.end(), {"--kernel", StockKernel(GetParam())});
    }
    RunProgram run(directory_, arguments);
    run.Wait();
    for (const std::string& file : run.Files(".kts")) {
      auto opened = FrozenMachine::Open(run.out() / file);
      ASSERT_OK(opened);
      const std::shared_ptr<FrozenMachine> machine = *std::move(opened);
      auto index = OpenIndex(*machine, {});
      ASSERT_OK(index);
      const auto dump = index->Query("SELECT exit_dump FROM scx WHERE exit_dump IS NOT NULL");
      ASSERT_OK(dump);
      if (dump->rows.empty()) continue;
      kernels_ = Lines(std::get<std::string>(dump->rows[0][0]));
      MemorySource memory(machine);
      const auto ours = ScxDumps(*index, memory);
      ASSERT_OK(ours);
      ASSERT_THAT(*ours, SizeIs(1));
      ours_ = ours->front().lines;
    }
    ASSERT_FALSE(kernels_.empty()) << "no archive with a dump of the kernel's:\n" << run.said();
  }

  synthetic::TemporaryDirectory directory_;
  std::vector<std::string> kernels_, ours_;
};

TEST_P(ScxExitDumpTest, SaysWhatTheKernelSaysLineForLine) {
  const ParsedDump kernels = ParseDump(kernels_), ours = ParseDump(ours_);
  const auto text = [](const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  };
  SCOPED_TRACE("The kernel:\n" + text(kernels_) + "\nWe:\n" + text(ours_));
  // Who ended it, how and why, with the backtrace: nothing of it depends on time.
  EXPECT_EQ(ours.head, kernels.head);

  // What ran when the dump was written has been moved since, and what runs now was moved as well:
  // the thread that takes the scheduler down came to one of the CPUs. All others stand where they
  // stood; they wait for longer now.
  size_t compared = 0;
  for (const auto& [pid, task] : kernels.tasks) {
    SCOPED_TRACE(pid);
    if (task.running || (ours.tasks.contains(pid) && ours.tasks.at(pid).running)) continue;
    ASSERT_TRUE(ours.tasks.contains(pid));
    const TaskText& our = ours.tasks.at(pid);
    EXPECT_EQ(our.lines, task.lines);
    EXPECT_EQ(our.cpu, task.cpu);
    EXPECT_LE(our.since_ms, task.since_ms);
    ++compared;
  }
  EXPECT_GE(compared, 3u);

  // The order of those that have stood there all the time.
  for (const auto& [cpu, pids] : kernels.order) {
    std::vector<int64_t> now;
    if (ours.order.contains(cpu)) {
      for (const int64_t pid : ours.order.at(cpu)) {
        if (std::ranges::find(pids, pid) != pids.end()) now.push_back(pid);
      }
    }
    std::vector<int64_t> then;
    for (const int64_t pid : pids) {
      if (std::ranges::find(now, pid) != now.end()) then.push_back(pid);
    }
    EXPECT_EQ(now, then);
  }

  // The kernel counts on.
  EXPECT_EQ(ours.event_lines, kernels.event_lines);
  for (const auto& [name, count] : kernels.events) EXPECT_GE(ours.events.at(name), count) << name;
}

INSTANTIATE_TEST_SUITE_P(Own, ScxExitDumpTest, testing::Values("small"),
                         [](const auto& test) { return KernelTestName(test.param); });
INSTANTIATE_TEST_SUITE_P(Others, ScxExitDumpTest, testing::ValuesIn(OtherKernels({"newest-7"})),
                         [](const auto& test) { return KernelTestName(test.param); });

}  // namespace
}  // namespace ktstr
