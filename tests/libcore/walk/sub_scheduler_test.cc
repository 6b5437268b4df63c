// Schedulers below others (7.1 on): their tree, and whose each task is.
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/task/task.h"
#include "scx_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A root with two sub-schedulers, the first of which has one of its own.
class SubSchedulerTest : public ::testing::TestWithParam<ScxLayout> {
 protected:
  SubSchedulerTest() {
    root_ = guest_.scx.AddScheduler({.name = "root", .bypass_depth = 1});
    first_ = guest_.scx.AddScheduler({.name = "first", .cgroup = "/a"}, root_);
    second_ =
        guest_.scx.AddScheduler({.name = "second", .cgroup = "/b", .watchdog_timeout = 500}, root_);
    inner_ = guest_.scx.AddScheduler({.name = "inner", .cgroup = "/a/c"}, first_);
  }
  // A task of that scheduler's that has been runnable for so many jiffies.
  Kva AddWaiting(Kva scheduler, uint32_t pid, uint64_t jiffies) {
    const Kva task = guest_.NewTask(pid);
    guest_.builder().Set("task_struct", task, "scx.runnable_at", 4294892296 + 1000 - jiffies);
    guest_.sched.queues().AddRunnable(pid % 2, task);
    guest_.scx.Own(scheduler, task);
    return task;
  }
  Kva PartOf(Kva scheduler, const char* member) {
    return scheduler + guest_.builder().MemberOf("scx_sched", member).offset;
  }
  std::vector<std::string> Names(const ScxState& state) {
    std::vector<std::string> names;
    for (const ScxRow& row : state.schedulers) names.push_back(row.ops_name.value_or("(none)"));
    return names;
  }

  ScxGuest guest_{GetParam()};
  Kva root_, first_, second_, inner_;
};

TEST_P(SubSchedulerTest, EachStandsBelowItsOwn) {
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  EXPECT_THAT(Names(state), ElementsAre("root", "first", "inner", "second"));
  EXPECT_EQ(state.schedulers[2].level, 2);
  EXPECT_EQ(state.schedulers[2].cgroup, "/a/c");
  EXPECT_EQ(state.schedulers[2].parent, 1);
  EXPECT_EQ(state.schedulers[3].parent, 0);
  EXPECT_EQ(state.schedulers[0].parent, std::nullopt);
  EXPECT_EQ(state.schedulers[2].sub_attached, 1);
  EXPECT_EQ(state.schedulers[0].bypass_depth, 1);
  EXPECT_EQ(state.schedulers[3].bypass_depth, 0);
  EXPECT_EQ(state.schedulers[3].watchdog_timeout_ms, 2000);
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(SubSchedulerTest, OneThatContainsItsOwnRootEndsThere) {
  guest_.Finish();
  guest_.builder().LinkList(PartOf(inner_, "children"), {PartOf(root_, "sibling")});
  const ScxState state = WalkScxOf(guest_);
  EXPECT_THAT(Names(state), ElementsAre("root", "first", "inner", "second"));
  EXPECT_THAT(state.anomalies, HasAnomaly("cycle", root_));
}

// Its own are found on the list of all.
TEST_P(SubSchedulerTest, OneThatWasLeftOutCostsOnlyItself) {
  guest_.Finish();
  guest_.LeaveOut(first_);
  const ScxState state = WalkScxOf(guest_);
  EXPECT_THAT(Names(state), ElementsAre("root", "second", "inner"));
  EXPECT_THAT(state.anomalies, HasAnomaly("unreadable", PartOf(first_, "sibling")));
}

TEST_P(SubSchedulerTest, AWildPointerIsNoScheduler) {
  guest_.Finish();
  guest_.builder().Put(PartOf(root_, "children"), guest_.Wild());
  const ScxState state = WalkScxOf(guest_);
  EXPECT_THAT(Names(state), ElementsAre("root", "first", "inner", "second"));
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_P(SubSchedulerTest, TheCapEndsTheWalkAndSaysSo) {
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_, {.max_nodes = 2});
  EXPECT_THAT(Names(state), ElementsAre("root", "first"));
  EXPECT_THAT(state.anomalies, HasAnomaly("cap", inner_));
}

// The watchdog judges each task by the timeout of the scheduler that owns it.
TEST_P(SubSchedulerTest, EachHasItsOwnOldestRunnableTaskAndMargin) {
  AddWaiting(root_, 11, 100);
  AddWaiting(second_, 12, 25);
  AddWaiting(second_, 13, 50);
  AddWaiting(inner_, 14, 600);
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  ASSERT_EQ(state.schedulers.size(), 4u);
  EXPECT_EQ(state.schedulers[0].oldest_runnable_pid, 11);
  EXPECT_EQ(state.schedulers[0].watchdog_margin_ms, 30000 - 400);
  EXPECT_EQ(state.schedulers[1].oldest_runnable_pid, std::nullopt);
  EXPECT_EQ(state.schedulers[1].watchdog_margin_ms, std::nullopt);
  EXPECT_EQ(state.schedulers[2].oldest_runnable_pid, 14);
  EXPECT_EQ(state.schedulers[2].oldest_waiting_ms, 2400);
  EXPECT_EQ(state.schedulers[3].oldest_runnable_pid, 13);
  EXPECT_EQ(state.schedulers[3].watchdog_margin_ms, 2000 - 200);
}

TEST_P(SubSchedulerTest, ATaskTellsWhichOneOwnsIt) {
  AddWaiting(root_, 11, 1);
  AddWaiting(inner_, 12, 1);
  guest_.NewTask(13);
  AddWaiting(Kva(0xffff888000000123), 14, 1);
  guest_.Finish();
  const auto walked = WalkTasks(guest_.Open(), std::span<const StackFrameRow>());
  ASSERT_TRUE(walked) << walked.error().ToString();
  std::map<int64_t, std::optional<int64_t>> owners;
  for (const TaskRow& row : walked->rows) owners[*row.pid] = row.scx_scheduler;
  EXPECT_EQ(owners[11], 0);
  EXPECT_EQ(owners[12], 2);
  EXPECT_EQ(owners[13], std::nullopt);
  EXPECT_EQ(owners[14], std::nullopt);
  EXPECT_THAT(walked->anomalies, HasAnomaly("damage", Kva(0xffff888000000123)));
}

// As while it is enabled or ended: its tasks still name it.
TEST_P(SubSchedulerTest, OneThatIsNoLongerInTheTreeComesLast) {
  guest_.scx.TakeOutOfTree(inner_);
  AddWaiting(inner_, 14, 600);
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  EXPECT_THAT(Names(state), ElementsAre("root", "first", "second", "inner"));
  EXPECT_EQ(state.schedulers.at(3).parent, std::nullopt);
  EXPECT_EQ(state.schedulers.at(3).oldest_runnable_pid, 14);
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(SubSchedulerTest, OneThatIsInNoListIsReadByItsAddress) {
  guest_.Finish();
  const auto row = ReadScxScheduler(guest_.Open(), inner_);
  ASSERT_TRUE(row) << row.error().ToString();
  EXPECT_EQ(row->ops_name, "inner");
  EXPECT_EQ(row->cgroup, "/a/c");
  EXPECT_EQ(row->level, 2);
}

INSTANTIATE_TEST_SUITE_P(Layouts, SubSchedulerTest, ::testing::ValuesIn(kSubLayouts),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace ktstr
