// Two archives of one real guest: what went on between them is what their comparison says.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "analyze/diff/diff.h"
#include "analyze/diff/diff_text.h"
#include "analyze/index/index.h"
#include "capture/capture.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"

namespace ktstr {
namespace {

using synthetic::TemporaryDirectory;

class DiffGuestTest : public testing::Test {
 protected:
  // Two captures; in between "sleep" ends and "late" begins.
  static Status MakePair(const std::filesystem::path& before, const std::filesystem::path& after) {
    const auto machine = KTSTR_TRY(BootWithWork(Machine(), "spin:2,sleep:1"));
    CaptureOptions options;
    options.pid = machine->qemu().pid();
    options.output = before;
    KTSTR_TRY(Capture(machine->qmp(), options));
    KTSTR_TRY(machine->StopWorkers({"sleep"}));
    KTSTR_TRY(machine->StartWorkers({{.kind = "yield", .name = "late"}}));
    options.output = after;
    KTSTR_TRY(Capture(machine->qmp(), options));
    return {};
  }
  static Result<ArchiveDiff> Compare(const std::filesystem::path& before,
                                     const std::filesystem::path& after) {
    const auto first = KTSTR_TRY(FrozenMachine::Open(before));
    const auto second = KTSTR_TRY(FrozenMachine::Open(after));
    const Database first_index = KTSTR_TRY(OpenIndex(*first, {.use_file = false}));
    const Database second_index = KTSTR_TRY(OpenIndex(*second, {.use_file = false}));
    return CompareArchives(
        {"a.kts", &first_index, first.get()}, {"b.kts", &second_index, second.get()},
        {DiffPart::kTasks, DiffPart::kQueues, DiffPart::kCounters, DiffPart::kMemory});
  }
};

TEST_F(DiffGuestTest, OfOneRunItTellsWhoCameAndWentHowFastThingsWereAndWhichMemoryChanged) {
  const TemporaryDirectory directory;
  ASSERT_OK(MakePair(directory / "a.kts", directory / "b.kts"));
  const auto diff = Compare(directory / "a.kts", directory / "b.kts");
  ASSERT_OK(diff);
  ASSERT_TRUE(diff->relation.one_run) << diff->relation.why;
  EXPECT_GT(diff->relation.elapsed_ns, 0);
  std::map<std::string, std::string> tasks;  // what became of them, by name
  std::map<std::string, double> used;        // CPU time per second, by name
  for (const ArchiveDiff::Table& table : diff->tables) {
    for (const Difference& d : table.differences) {
      const std::string name = d.subject.substr(0, d.subject.find(" ("));
      if (table.part == DiffPart::kTasks) tasks.emplace(name, d.change);
      if (d.field == "sum_exec_runtime_ns") used[name] = d.per_second.value_or(-1);
    }
  }
  EXPECT_EQ(tasks["task late-0"], "appeared") << DiffText(*diff, 0);
  EXPECT_EQ(tasks["task sleep-0"], "gone");
  for (const char* spinner : {"task spin-0", "task spin-1"}) {
    EXPECT_GT(used[spinner], 0);
    // A second and a little: the clocks of CPUs are updated one by one.
    EXPECT_LT(used[spinner], 1.5e9);
  }

  ASSERT_TRUE(diff->memory) << diff->memory_not_compared;
  EXPECT_GT(diff->memory->changed, 0u);
  EXPECT_GT(diff->memory->same, diff->memory->changed);
  EXPECT_EQ(diff->memory->not_comparable, 0u);
  bool run_queue = false, runtime = false, slab = false;
  for (const auto& [content, bytes] : diff->memory->bytes_by_content) {
    run_queue |=
        content == std::pair<std::string, std::string>("per-CPU data", "runqueues of CPU 0");
    // A new process has a number that no other one had; its other structures may be those of the
    // one that ended, and hold the same again.
    slab |= content == std::pair<std::string, std::string>("slab", "pid");
    runtime |= content.first == "task_struct" && content.second.starts_with("spin-0 (") &&
               content.second.ends_with(": se.sum_exec_runtime");
  }
  EXPECT_TRUE(slab) << DiffText(*diff, 0);
  EXPECT_TRUE(run_queue) << DiffText(*diff, 0);
  EXPECT_TRUE(runtime) << DiffText(*diff, 0);
}

}  // namespace
}  // namespace ktstr
