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
