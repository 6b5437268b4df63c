// Two archives against each other: what differs is found and named, what is the same is not, and
// what cannot be compared is said to be so.
#include "analyze/diff/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "../archives.h"
#include "analyze/diff/diff_text.h"
#include "analyze/diff/map_values.h"
#include "analyze/index/index.h"
#include "analyze/text/output.h"

namespace ktstr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// One moment of a machine that runs init and a worker.
struct Moment {
  uint64_t clock_ns = 5'000'000'000;
  uint64_t init_start_ns = 1'000'000'000;
  std::string worker_name = "worker";
  uint32_t worker_state = 1;  // asleep
  uint32_t worker_cpu = 0;
  uint64_t worker_switches = 10;
  uint64_t variable = 7;
  bool with_late_worker = false;
  bool without_worker = false;
  bool without_variable = false;  // its page is left out
};

synthetic::SyntheticGuest MakeMoment(const Moment& moment) {
  synthetic::KernelBuilder kernel;
  synthetic::SchedBuilder sched(kernel);
  synthetic::StackBuilder stacks(kernel, sched);
  synthetic::SystemBuilder system(kernel, {.beside_sched = true});
  synthetic::LogBuilder log(kernel);
  sched.AddProcess({.pid = 1, .comm = "init", .start_time_ns = moment.init_start_ns});
  if (!moment.without_worker) {
    const Kva worker = sched.AddProcess({.pid = 100,
                                         .comm = moment.worker_name,
                                         .state = moment.worker_state,
                                         .cpu = moment.worker_cpu});
    kernel.Set("task_struct", worker, "nvcsw", moment.worker_switches);
  }
  if (moment.with_late_worker) {
    sched.AddProcess({.pid = 101, .comm = "late", .state = 1, .start_time_ns = 4'500'000'000});
  }
  stacks.Finish();
  system.Finish();
  sched.Finish();
  for (uint32_t cpu = 0; cpu < kernel.options().cpus; ++cpu) {
    kernel.Set("rq", kernel.PerCpu("runqueues", cpu), "clock", moment.clock_ns);
  }
  log.Finish();
  // In pages of its own.
  const Kva pages = kernel.Data("before_the_variable", 2 * kPageSize);
  const Kva variable = kernel.Data("a_variable", kPageSize);
  kernel.Data("after_the_variable", 2 * kPageSize);
  EXPECT_LT(pages, variable);
  kernel.Put<uint64_t>(variable, moment.variable);
  const Pa at = kernel.PaOf(variable);
  synthetic::SyntheticGuest guest = kernel.Finish();
  if (moment.without_variable) {
    guest.memory->LeaveOut(Pfn::Of(at), LeftOutReason::kUserData);
  }
  return guest;
}

std::vector<std::string> Lines(const std::vector<Difference>& differences) {
  std::vector<std::string> lines;
  for (const Difference& d : differences) {
    lines.push_back(fmt::format("{} {}{}{}: {} -> {}", d.change, d.subject,
                                d.field.empty() ? "" : ", ", d.field, ToDisplay(d.before),
                                ToDisplay(d.after)));
  }
  return lines;
}

class DiffTest : public testing::Test {
 protected:
  // Compares two moments in all parts.
  ArchiveDiff Compare(const Moment& before, const Moment& after) {
    WriteGuest(MakeMoment(before), directory_ / "a.kts");
    WriteGuest(MakeMoment(after), directory_ / "b.kts");
    return CompareFiles(directory_ / "a.kts", directory_ / "b.kts");
  }
  ArchiveDiff CompareFiles(const std::filesystem::path& before,
                           const std::filesystem::path& after) {
    auto first = FrozenMachine::Open(before), second = FrozenMachine::Open(after);
    EXPECT_TRUE(first && second);
    const auto first_index = OpenIndex(**first, {.use_file = false});
    const auto second_index = OpenIndex(**second, {.use_file = false});
    EXPECT_TRUE(first_index && second_index);
    std::set<DiffPart> all;
    for (const DiffPartInfo& info : kDiffParts) all.insert(info.part);
    const auto diff = CompareArchives({"a.kts", &*first_index, first->get()},
                                      {"b.kts", &*second_index, second->get()}, all);
    EXPECT_TRUE(diff) << diff.error().ToString();
    return diff ? *diff : ArchiveDiff();
  }
  static std::vector<std::string> LinesOf(const ArchiveDiff& diff, DiffPart part) {
    for (const ArchiveDiff::Table& table : diff.tables) {
      if (table.part == part) return Lines(table.differences);
    }
    return {"not compared"};
  }

  TemporaryDirectory directory_;
};

TEST_F(DiffTest, AMachineDoesNotDifferFromItself) {
  const ArchiveDiff diff = Compare({}, {});
  EXPECT_FALSE(diff.differs()) << DiffText(diff, 0);
  EXPECT_TRUE(diff.relation.one_run) << diff.relation.why;
  EXPECT_EQ(diff.relation.elapsed_ns, 0);
}

TEST_F(DiffTest, TasksThatAppearedAreGoneOrChangedAreNamed) {
  const ArchiveDiff diff =
      Compare({}, {.worker_state = 2, .worker_cpu = 1, .with_late_worker = true});
  EXPECT_THAT(LinesOf(diff, DiffPart::kTasks),
              ElementsAre("appeared task late (101): - -> S, class fair, CPU 0",
                          "changed task worker (100), state: S -> D",
                          "changed task worker (100), cpu: 0 -> 1"));
  EXPECT_THAT(LinesOf(Compare({}, {.without_worker = true}), DiffPart::kTasks),
              ElementsAre("gone task worker (100): S, class fair, CPU 0 -> -"));
}

TEST_F(DiffTest, CountersHaveRatesByTheGuestsClock) {
  const ArchiveDiff diff = Compare({}, {.clock_ns = 7'000'000'000, .worker_switches = 40});
  EXPECT_EQ(diff.relation.elapsed_ns, 2'000'000'000);
  const auto table = std::find_if(diff.tables.begin(), diff.tables.end(),
                                  [](const auto& t) { return t.part == DiffPart::kCounters; });
  ASSERT_NE(table, diff.tables.end());
  ASSERT_THAT(Lines(table->differences), ElementsAre("changed task worker (100), nvcsw: 10 -> 40"));
  EXPECT_EQ(table->differences[0].delta, 30);
  EXPECT_EQ(table->differences[0].per_second, 15.0);
}

TEST_F(DiffTest, OfOneRunInTheWrongOrderRatesAreStillPositive) {
  const ArchiveDiff diff = Compare({.clock_ns = 7'000'000'000, .worker_switches = 40}, {});
  EXPECT_EQ(diff.relation.elapsed_ns, -2'000'000'000);
  for (const ArchiveDiff::Table& table : diff.tables) {
    if (table.part == DiffPart::kCounters) {
      EXPECT_EQ(table.differences.at(0).per_second, 15.0);
    }
  }
}

TEST_F(DiffTest, MemoryThatChangedIsNamedByWhatItHolds) {
  const ArchiveDiff diff = Compare({}, {.worker_switches = 11, .variable = 8});
  ASSERT_TRUE(diff.memory) << diff.memory_not_compared;
  EXPECT_EQ(diff.memory->changed, 2u);
  EXPECT_EQ(diff.memory->not_comparable, 0u);
  using Entry = std::pair<const std::pair<std::string, std::string>, uint64_t>;
  EXPECT_THAT(diff.memory->bytes_by_content,
              ElementsAre(Entry({"kernel image", "a_variable"}, 1),
                          Entry({"task_struct", "worker (100): nvcsw"}, 1)));
}

TEST_F(DiffTest, APageThatOneArchiveDoesNotHaveIsNotComparableAndNotChanged) {
  for (const bool first : {false, true}) {
    const Moment whole, cut = {.variable = 8, .without_variable = true};
    const ArchiveDiff diff = first ? Compare(cut, whole) : Compare(whole, cut);
    ASSERT_TRUE(diff.memory);
    EXPECT_EQ(diff.memory->changed, 0u);
    EXPECT_EQ(diff.memory->not_comparable, 1u);
    EXPECT_EQ(diff.memory->not_comparable_by_fate.at("left out, user data"), 1u);
    EXPECT_FALSE(diff.differs());
  }
}

TEST_F(DiffTest, OfDifferentRunsCountersAndMemoryAreNotComparedAndTasksAreByName) {
  const ArchiveDiff diff = Compare(
      {}, {.init_start_ns = 1'000'000'001, .worker_switches = 40, .with_late_worker = true});
  EXPECT_FALSE(diff.relation.one_run);
  EXPECT_THAT(diff.relation.why, HasSubstr("start of init 1000000000 ns in the first"));
  EXPECT_FALSE(diff.memory);
  EXPECT_THAT(LinesOf(diff, DiffPart::kCounters), IsEmpty());
  EXPECT_THAT(LinesOf(diff, DiffPart::kTasks),
              ElementsAre("appeared tasks named late: - -> 1, class fair"));
  EXPECT_THAT(DiffText(diff, 0),
              HasSubstr("Memory: not compared, the archives are not of one run"));
}

TEST_F(DiffTest, TextAndJsonSayTheSame) {
  const ArchiveDiff diff =
      Compare({}, {.clock_ns = 7'000'000'000, .worker_switches = 40, .variable = 8});
  const std::string text = DiffText(diff, 0);
  EXPECT_THAT(text, HasSubstr("one, 2.000000 s apart by the guest's clock"));
  EXPECT_THAT(text, HasSubstr("\nTasks: no difference\n"));
  EXPECT_THAT(text, HasSubstr("a_variable"));
  const auto json = nlohmann::json::parse(DiffJson(diff));
  EXPECT_EQ(json["one_run"], true);
  EXPECT_EQ(json["elapsed_ns"], 2'000'000'000);
  EXPECT_EQ(json["counters"][0]["per_second"], 15.0);
  EXPECT_THAT(json["tasks"], IsEmpty());
}

TEST_F(DiffTest, TextOfTheGuestCannotDriveTheTerminal) {
  const ArchiveDiff diff = Compare({}, {.worker_name = "\x1b[31mred", .worker_switches = 11});
  EXPECT_THAT(DiffText(diff, 0), Not(HasSubstr("\x1b")));
  EXPECT_THAT(DiffText(diff, 0), HasSubstr("task \\x1b[31mred (100)"));
  EXPECT_THAT(DiffText(diff, 0), HasSubstr("\\x1b[31mred (100): nvcsw"));
}

TEST(MapValuesTest, AStructuresChangeIsOneOfEachMemberWithItsRate) {
  const std::vector<Difference> values = {
      {"changed",
       "stats[0]",
       "value",
       "{\"runs\":40,\"load\":[1,2],\"on\":true}",
       "{\"runs\":60,\"load\":[1,9],\"on\":true}",
       {},
       {}},
      {"changed", "total", "value", "18446744073709551615", "7", {}, {}},
      {"changed", "raw", "value", "0badcafe", "0badbeef", {}, {}},
      {"gone", "old", "", "5", Value(), {}, {}}};
  const std::vector<Difference> members = ByMember(values, 2'000'000'000);
  EXPECT_THAT(Lines(members),
              ElementsAre("changed stats[0], load.1: 2 -> 9", "changed stats[0], runs: 40 -> 60",
                          "changed total, value: 18446744073709551615 -> 7",
                          "changed raw, value: 0badcafe -> 0badbeef", "gone old: 5 -> -"));
  EXPECT_EQ(members[1].delta, 20);
  EXPECT_EQ(members[1].per_second, 10.0);
  EXPECT_EQ(members[2].delta, std::nullopt);
  EXPECT_EQ(ByMember(values, std::nullopt)[1].per_second, std::nullopt);
}

// Two real machines, both with a scheduler that starves somebody.
TEST_F(DiffTest, RealMachinesOfDifferentBootsAreToldApart) {
  const std::filesystem::path states = KTSTR_STATE_DIR;
  const ArchiveDiff diff = CompareFiles(states / "stall.kts", states / "starve-cgroup.kts");
  EXPECT_FALSE(diff.relation.one_run);
  EXPECT_THAT(LinesOf(diff, DiffPart::kTasks),
              Contains("appeared tasks named starved-0: - -> 1, class ext"));
  EXPECT_THAT(LinesOf(diff, DiffPart::kScx),
              Not(Contains(HasSubstr("scheduler ktstr_vtime, ops_name"))));
  const ArchiveDiff same = CompareFiles(states / "stall.kts", states / "stall.kts");
  EXPECT_TRUE(same.relation.one_run);
  EXPECT_FALSE(same.differs()) << DiffText(same, 0);
  ASSERT_TRUE(same.memory);
  EXPECT_GT(same.memory->same, 0u);
}

}  // namespace
}  // namespace ktstr
