#include "libcore/walk/system/timer.h"

#include <gmock/gmock.h>

#include "libcore/walk/system/clock.h"
#include "system_walk_test.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// On CPU 0 three timers in one bucket and one in another, and three sleeps by hrtimers; on CPU 1
// one timer.
class TimerTest : public SystemWalkTest {
 protected:
  TimerTest() {
    tick_ = builder_.Text("tick_fn");
    for (uint64_t expires : {5010, 5020, 5030}) {
      timers_.push_back(system_.AddTimer(0, 2, expires, tick_));
    }
    timers_.push_back(system_.AddTimer(0, 5, 4990, tick_));
    timers_.push_back(system_.AddTimer(1, 2, 5040, tick_));
    for (uint32_t pid : {7, 8, 9}) {
      tasks_.push_back(system_.AddTask(pid, "sleeper-" + std::to_string(pid)));
    }
    hrtimers_ = system_.AddHrSleeps(0, tasks_);
  }

  Walked<TimerRow> WalkAll(const WalkLimits& limits = {}) {
    system_.Finish();
    return Walk(WalkTimers, limits);
  }
  static std::vector<Kva> Addresses(const Walked<TimerRow>& walked, const std::string& kind) {
    std::vector<Kva> addresses;
    for (const TimerRow& row : walked.rows) {
      if (row.kind == kind) addresses.push_back(Kva(row.timer_kva->value));
    }
    return addresses;
  }

  Kva tick_;
  std::vector<Kva> timers_, tasks_, hrtimers_;
};

TEST(KernelClockTest, JiffiesThatNoKernelHasCountedHaveNoTime) {
  KernelClock clock;
  clock.jiffies = 5000;
  clock.hz = 1000;
  EXPECT_EQ(clock.NsSince(4990), 10'000'000);
  EXPECT_EQ(clock.MsSince(4990), 10);
  EXPECT_EQ(clock.NsSince(-281474976712134), std::nullopt);
  EXPECT_EQ(clock.NsSince(281474976712134), std::nullopt);
  EXPECT_EQ(clock.MsSince(INT64_MIN), std::nullopt);
  clock.jiffies = INT64_MIN;
  EXPECT_EQ(clock.uptime_ns(), std::nullopt);
}

TEST_F(TimerTest, WheelTimersAreTimedInJiffies) {
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  EXPECT_EQ(Addresses(walked, "timer"), timers_);
  const TimerRow& row = walked.rows[0];
  EXPECT_EQ(row.cpu, 0);
  EXPECT_EQ(row.base, "standard");
  EXPECT_EQ(row.function, "tick_fn");
  EXPECT_EQ(row.expires_jiffies, 5010);
  EXPECT_EQ(row.state, "pending");
  EXPECT_EQ(row.until_ns, 10'000'000);
  EXPECT_EQ(row.flags, "deferrable|pinned");
  EXPECT_EQ(row.pid, std::nullopt);
  EXPECT_EQ(walked.rows[3].until_ns, -10'000'000);
}

TEST_F(TimerTest, SleepersAreNamedInOrderOfTheirClock) {
  const auto walked = WalkAll();
  EXPECT_THAT(Addresses(walked, "hrtimer"), ElementsAre(hrtimers_[1], hrtimers_[0], hrtimers_[2]));
  const TimerRow& row = walked.rows[4];
  EXPECT_EQ(row.base, "monotonic");
  EXPECT_EQ(row.function, "hrtimer_wakeup");
  EXPECT_EQ(row.pid, 8);
  EXPECT_EQ(row.comm, "sleeper-8");
  EXPECT_EQ(row.expires_ns, 7'000'000'600);
  EXPECT_EQ(row.until_ns, 100);
}

TEST_F(TimerTest, TimeoutsAndDelayedWorkTellWhomTheyAreFor) {
  const Kva queue = system_.AddWorkqueue("events");
  system_.AddSleep(1, 3, 6000, tasks_[0]);
  system_.AddDelayedWork(1, 4, 6000, builder_.Text("do_it_later"), queue);
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 10u);
  EXPECT_EQ(walked.rows[8].function, "process_timeout");
  EXPECT_EQ(walked.rows[8].pid, 7);
  EXPECT_EQ(walked.rows[9].function, "delayed_work_timer_fn");
  EXPECT_EQ(walked.rows[9].detail, "do_it_later on events");
}

TEST_F(TimerTest, ThePeriodOfAQuotaTellsItsCgroup) {
  const Kva cgroup = system_.AddCgroup(system_.root_cgroup(), "limited");
  const Kva group = system_.AddTaskGroup(cgroup, 1 << 20, 10'000'000, 100'000'000);
  const Kva timer = system_.StartPeriod(1, group);
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 9u);
  EXPECT_EQ(walked.rows[8].timer_kva, Hex(timer));
  EXPECT_EQ(walked.rows[8].base, "realtime");
  EXPECT_EQ(walked.rows[8].detail, "cgroup /limited");
}

TEST_F(TimerTest, TheTimerThatRunsIsToldToo) {
  const Kva running = system_.AddTimer(1, 3, 5000, tick_);
  const Kva bucket = builder_.PerCpu("timer_bases", 1) +
                     builder_.MemberOf("timer_base", "vectors").offset + 3 * sizeof(Kva);
  builder_.Put(bucket, Kva());
  builder_.Set("timer_base", builder_.PerCpu("timer_bases", 1), "running_timer", running.value());
  const auto walked = WalkAll();
  EXPECT_THAT(walked.anomalies, IsEmpty());
  ASSERT_EQ(walked.rows.size(), 9u);
  EXPECT_EQ(walked.rows[7].state, "running");
  EXPECT_EQ(walked.rows[7].timer_kva, Hex(running));
  EXPECT_EQ(walked.rows[7].until_ns, 0);
}

TEST_F(TimerTest, ACycleInABucketCostsNoOther) {
  const uint64_t entry = builder_.MemberOf("timer_list", "entry").offset;
  builder_.Put(timers_[2] + entry, timers_[0] + entry);
  const auto walked = WalkAll();
  EXPECT_EQ(Addresses(walked, "timer"), timers_);
  EXPECT_EQ(Addresses(walked, "hrtimer").size(), 3u);
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("cycle"));
}

TEST_F(TimerTest, AWildPointerInABucketCostsOnlyWhatIsBehindIt) {
  builder_.Put(timers_[0] + builder_.MemberOf("timer_list", "entry").offset, kWild);
  const auto walked = WalkAll();
  EXPECT_THAT(Addresses(walked, "timer"), ElementsAre(timers_[0], timers_[3], timers_[4]));
  EXPECT_EQ(Addresses(walked, "hrtimer").size(), 3u);
  EXPECT_EQ(walked.anomalies.size(), 1u);
}

TEST_F(TimerTest, TimersInPagesThatWereLeftOutCostNoOthers) {
  LeaveOut(timers_[3]);
  LeaveOut(hrtimers_[1]);
  const auto walked = WalkAll();
  EXPECT_THAT(Addresses(walked, "timer"),
              ElementsAre(timers_[0], timers_[1], timers_[2], timers_[4]));
  EXPECT_THAT(Addresses(walked, "hrtimer"), ElementsAre(hrtimers_[0], hrtimers_[2]));
  EXPECT_THAT(Kinds(walked.anomalies), ElementsAre("unreadable", "unreadable"));
}

TEST_F(TimerTest, AWildBranchOfTheTreeCostsNoOther) {
  const uint64_t node = builder_.MemberOf("hrtimer", "node.node").offset;
  builder_.Set("rb_node", hrtimers_[0] + node, "left", kWild.value());
  // A child that is the root again.
  builder_.Set("rb_node", hrtimers_[2] + node, "right", (hrtimers_[0] + node).value());
  const auto walked = WalkAll();
  EXPECT_THAT(Addresses(walked, "hrtimer"), ElementsAre(hrtimers_[0], hrtimers_[2]));
  EXPECT_EQ(Addresses(walked, "timer"), timers_);
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cycle"));
}

TEST_F(TimerTest, TheCapEndsEachListAndSaysSo) {
  const auto walked = WalkAll({.max_nodes = 2});
  EXPECT_THAT(Addresses(walked, "timer"),
              ElementsAre(timers_[0], timers_[1], timers_[3], timers_[4]));
  EXPECT_EQ(Addresses(walked, "hrtimer").size(), 2u);
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cap"));
}

}  // namespace
}  // namespace ktstr
