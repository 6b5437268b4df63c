#include "capture/run/sample_triggers.h"

#include <gmock/gmock.h>

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

WatchSample Waiting(int64_t waiting_ms, int64_t watchdog_ms = 30'000) {
  WatchSample sample;
  sample.scx.emplace();
  sample.scx->watchdog_timeout_ms = watchdog_ms;
  sample.scx->oldest = WaitingTask{.pid = 7, .comm = "spin", .cpu = 1, .waiting_ms = waiting_ms};
  sample.scx->schedulers = {
      {.ops_name = "s", .watchdog_timeout_ms = watchdog_ms, .oldest = sample.scx->oldest}};
  return sample;
}

// Of the root scheduler's tasks one waits for 3 s of 30 s, of those of a sub-scheduler one for
// 600 ms of 1 s.
WatchSample WaitingBelow() {
  WatchSample sample = Waiting(3000);
  sample.scx->schedulers[0].sched = sample.scx->oldest->owner = Kva(0x100);
  sample.scx->schedulers.push_back(
      {.ops_name = "inner",
       .cgroup = "/a/b",
       .watchdog_timeout_ms = 1000,
       .oldest =
           WaitingTask{.pid = 8, .comm = "sleep", .cpu = 0, .waiting_ms = 600, .owner = Kva(0x200)},
       .sched = Kva(0x200)});
  return sample;
}

WatchSample Clock(int64_t uptime_ms, int64_t clock_ns, int64_t nr_running = 1, bool torn = false) {
  WatchSample sample;
  sample.uptime_ns = uptime_ms * 1'000'000;
  CpuSample cpu;
  cpu.cpu = 3;
  cpu.clock_ns = clock_ns;
  cpu.nr_running = nr_running;
  cpu.torn = torn;
  sample.cpus = {cpu};
  return sample;
}

TEST(SampleTriggers, AStallIsATaskThatWaitsForLongerThanTheLimit) {
  SampleTriggers triggers({{.kind = TriggerKind::kStall, .over = milliseconds(500)}});
  EXPECT_FALSE(triggers.Check(WatchSample()));
  EXPECT_FALSE(triggers.Check(Waiting(500)));
  const auto fired = triggers.Check(Waiting(501));
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->trigger, "stall");
  EXPECT_EQ(fired->detail,
            "spin (7) on CPU 1 has been runnable for 501 ms without running; the limit is 500 ms");
  EXPECT_EQ(fired->values.at("pid"), "7");
  EXPECT_EQ(fired->values.at("waiting_ms"), "501");
  EXPECT_TRUE(fired->fails);
}

TEST(SampleTriggers, TheWatchdogsPartIsOfItsOwnTimeout) {
  SampleTriggers triggers({{.kind = TriggerKind::kWatchdog, .part = 0.5}});
  EXPECT_FALSE(triggers.Check(Waiting(999, 2000)));
  EXPECT_TRUE(triggers.Check(Waiting(1000, 2000)));
  EXPECT_FALSE(triggers.Check(Waiting(1000, 0)));
}

TEST(SampleTriggers, EachSchedulersTasksAreJudgedByItsOwnTimeout) {
  SampleTriggers triggers({{.kind = TriggerKind::kWatchdog, .part = 0.5}});
  const auto fired = triggers.Check(WaitingBelow());
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->detail,
            "sleep (8) on CPU 0 has been runnable for 600 ms of the 1.000 s that sched_ext's "
            "watchdog gives it by the scheduler inner of cgroup /a/b");
  EXPECT_EQ(fired->values.at("timeout_ms"), "1000");
  EXPECT_EQ(fired->values.at("ops_name"), "inner");
  EXPECT_EQ(fired->values.at("cgroup"), "/a/b");
  WatchSample patient = WaitingBelow();
  patient.scx->schedulers[1].watchdog_timeout_ms = 2000;
  EXPECT_FALSE(triggers.Check(patient));
}

TEST(SampleTriggers, AStallTellsTheSubSchedulerOfTheTask) {
  SampleTriggers triggers({{.kind = TriggerKind::kStall, .over = milliseconds(500)}});
  WatchSample sample = WaitingBelow();
  EXPECT_FALSE(triggers.Check(sample)->values.contains("cgroup"));
  sample.scx->oldest = sample.scx->schedulers[1].oldest;
  const auto fired = triggers.Check(sample);
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->detail,
            "sleep (8) on CPU 0, a task of the scheduler inner of cgroup /a/b, has been runnable "
            "for 600 ms without running; the limit is 500 ms");
  EXPECT_EQ(fired->values.at("cgroup"), "/a/b");
}

TEST(SampleTriggers, AClockIsStuckWhenItStandsWhileThereIsWork) {
  SampleTriggers triggers({{.kind = TriggerKind::kClockStuck, .over = milliseconds(100)}});
  EXPECT_FALSE(triggers.Check(Clock(1000, 5)));
  EXPECT_FALSE(triggers.Check(Clock(1100, 5)));
  const auto fired = triggers.Check(Clock(1101, 5));
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->trigger, "clock-stuck");
  EXPECT_EQ(fired->values.at("cpu"), "3");
}

TEST(SampleTriggers, AClockThatGoesOnOrHasNoWorkOrIsTornIsNotStuck) {
  SampleTriggers triggers({{.kind = TriggerKind::kClockStuck, .over = milliseconds(100)}});
  EXPECT_FALSE(triggers.Check(Clock(1000, 5)));
  EXPECT_FALSE(triggers.Check(Clock(1090, 6)));
  EXPECT_FALSE(triggers.Check(Clock(1180, 6)));
  EXPECT_FALSE(triggers.Check(Clock(1250, 6, /*nr_running=*/0)));
  EXPECT_FALSE(triggers.Check(Clock(1340, 6)));
  EXPECT_FALSE(triggers.Check(Clock(1400, 6, 1, /*torn=*/true)));
}

TEST(SampleTriggers, AClockIsStuckAlsoWhenTheGuestsTimeIs) {
  SampleTriggers triggers({{.kind = TriggerKind::kClockStuck, .over = milliseconds(100)}});
  const auto at = [](int64_t host_ms) {
    WatchSample sample = Clock(1000, 5);
    sample.cpus[0].read_at += milliseconds(host_ms);
    return sample;
  };
  EXPECT_FALSE(triggers.Check(at(0)));
  EXPECT_FALSE(triggers.Check(at(300)));
  EXPECT_TRUE(triggers.Check(at(301)));
}

TEST(SampleTriggers, LooksSeveralTimesWithinTheShortestLimit) {
  EXPECT_FALSE(SampleTriggers({{.kind = TriggerKind::kPanic}}).wanted());
  EXPECT_EQ(SampleTriggers({{.kind = TriggerKind::kStall, .over = milliseconds(50)},
                            {.kind = TriggerKind::kClockStuck, .over = seconds(9)}})
                .interval(),
            milliseconds(10));
  EXPECT_EQ(SampleTriggers({{.kind = TriggerKind::kStall, .over = milliseconds(1)}}).interval(),
            milliseconds(5));
  EXPECT_EQ(SampleTriggers({{.kind = TriggerKind::kWatchdog}}).interval(), milliseconds(100));
}

}  // namespace
}  // namespace ktstr
