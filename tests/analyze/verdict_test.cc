// The verdict on a scheduler of sched_ext: each cause is told in a sentence with what it explains,
// and each rule is silent where it would accuse somebody wrongly.
#include "analyze/findings/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libcore/walk/bpf/map.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/wait/wait.h"
#include "verdict_rows.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(VerdictTest, NothingIsWrongIsSaidPlainly) {
  EXPECT_EQ(FindingsMachine().WithCpus(2).With(std::vector{Task(5)}).Verdict(),
            "Nothing is wrong: no task waits for a CPU (likely)");
  EXPECT_EQ(FindingsMachine()
                .WithCpus(1, {Hex(6)})
                .With(std::vector{Scheduler()})
                .With(std::vector{Waits(5, 3), Runs(6, 2)})
                .Verdict(),
            "Nothing is wrong: the scheduler s is enabled, 1 task waits for a CPU, the first for "
            "0.003 s (likely)");
  EXPECT_EQ(FindingsMachine().Verdict(), "Nothing can be said: no task was found (certain)");
}

TEST(VerdictTest, ASchedulerThatDispatchesNothing) {
  const TaskRow waits = Waits(5, 1200), runs = Runs(6, 1100);
  const auto machine = [&](const ScxRow& scx) {
    FindingsMachine machine;
    machine.WithCpus(1, {Hex(6)}).With(std::vector{scx}).With(std::vector{waits, runs});
    machine.With(std::vector{Queue()}).With(std::vector{InQueue(waits)});
    return machine;
  };
  FindingsMachine stalled = machine(Scheduler());
  EXPECT_EQ(stalled.Verdict(),
            "The scheduler s has dispatched nothing for 1.100 s: 1 task in DSQ 0x7, CPU 0 idles, "
            "CPU 1 only keeps t6 (6); the watchdog strikes in 3.000 s (certain)");
  EXPECT_THAT(stalled.Explained(),
              ElementsAre("idle_beside_work <- scheduler_stalled",
                          "dsq_piled_up <- scheduler_stalled", "long_wait <- scheduler_stalled"));
  // The kernel schedules in its stead.
  ScxRow bypassed = Scheduler();
  bypassed.bypass_depth = 1;
  EXPECT_THAT(machine(bypassed).Findings(), Not(Contains(StartsWith("scheduler_stalled"))));
}

TEST(VerdictTest, ATaskThatCameBackAfterAHigherClassWasNotDispatched) {
  const TaskRow waits = Waits(5, 1200);
  // A task that came 100 ms ago, and one of that class so long before it (or after).
  const auto machine = [&](TaskRow came, const std::string& other_class, int64_t before_ms) {
    came.last_arrival_ns = kNow - 100 * kMillisecond;
    TaskRow other = Task(9, other_class);
    other.last_arrival_ns = *came.last_arrival_ns - before_ms * kMillisecond;
    FindingsMachine machine;
    machine.WithCpus(1, {Hex(6)}).With(std::vector{Scheduler()});
    machine.With(std::vector{waits, came, other});
    return machine.With(std::vector{Queue()}).With(std::vector{InQueue(waits)}).Verdict();
  };
  const auto stalled = [](const std::string& certainty) {
    return testing::AllOf(StartsWith("The scheduler s has dispatched nothing for 1.201 s"),
                          testing::EndsWith("(" + certainty + ")"));
  };
  EXPECT_THAT(machine(Runs(6, 100), "stop", 1), stalled("certain"));
  EXPECT_THAT(machine(Runs(6, 100), "rt", 1), stalled("certain"));
  // It ran once more since: what was before it is not known.
  EXPECT_THAT(machine(Runs(6, 100), "rt", -50), stalled("likely"));
  // Its slice is over, and it waits again.
  EXPECT_THAT(machine(Waits(7, 80), "rt", -50), stalled("likely"));
  const auto silent = Not(StartsWith("The scheduler s has dispatched nothing"));
  // Another task of the scheduler's came, too.
  EXPECT_THAT(machine(Runs(6, 100), "ext", 1), silent);
  // Nobody interrupted it.
  EXPECT_THAT(machine(Runs(6, 100), "rt", 600), silent);
  EXPECT_THAT(machine(Runs(6, 100), "fair", 1), silent);
  // It slept in between, and somebody has dispatched it.
  TaskRow sleeps = Task(6, "ext");
  EXPECT_THAT(machine(sleeps, "rt", 1), silent);
}

TEST(VerdictTest, ASchedulerIsNotAccusedOfWhatOthersDo) {
  const TaskRow waits = Waits(5, 1200);
  // All CPUs that the task may use have tasks of a class that comes before sched_ext's.
  TaskRow pinned = waits;
  pinned.affinity = "0";
  FindingsMachine hogged;
  hogged.WithCpus(0, {Hex(6)}).With(std::vector{Scheduler()});
  hogged.With(std::vector{pinned, Runs(6, 1100, "rt")});
  hogged.With(std::vector{Queue()}).With(std::vector{InQueue(pinned)});
  EXPECT_THAT(hogged.Verdict(), StartsWith("t6 (6, class rt) has had CPU 0 for 1.200 s; t5 (5) is "
                                           "pinned there: not the scheduler's fault"));
  EXPECT_THAT(hogged.Findings(), Not(Contains(StartsWith("scheduler_stalled"))));
  // Somebody got a CPU just now: it does dispatch.
  EXPECT_THAT(FindingsMachine()
                  .WithCpus(0, {Hex(6)})
                  .With(std::vector{Scheduler()})
                  .With(std::vector{waits, Runs(6, 10)})
                  .Findings(),
              Not(Contains(StartsWith("scheduler_stalled"))));
  // What stands in a CPU's own queue has been dispatched.
  EXPECT_THAT(FindingsMachine()
                  .WithCpus(0, {Hex(6)})
                  .With(std::vector{Scheduler()})
                  .With(std::vector{waits, Runs(6, 1100)})
                  .With(std::vector{Queue("local", 0)})
                  .With(std::vector{InQueue(waits)})
                  .Findings(),
              Not(Contains(StartsWith("scheduler_stalled"))));
}

TEST(VerdictTest, AQueueThatNothingConsumes) {
  TaskRow waits = Waits(5, 1200), runs = Runs(6, 20);
  waits.cgroup = "/slow";
  runs.cgroup = "/fast";
  const auto machine = [&](const TaskRow& running) {
    FindingsMachine machine;
    machine.WithCpus(0, {Hex(6)}).With(std::vector{Scheduler()});
    machine.With(std::vector{waits, running}).With(std::vector{Queue()});
    machine.With(std::vector{InQueue(waits)});
    return machine;
  };
  EXPECT_EQ(machine(runs).Verdict(),
            "Every runnable task of /slow waits in DSQ 0x7, the first for 1.200 s, while t6 (6) of "
            "/fast runs: nothing consumes DSQ 0x7 (likely)");
  // One of the same cgroup may have stood before it in the queue.
  TaskRow same = runs;
  same.cgroup = "/slow";
  EXPECT_THAT(machine(same).Findings(), Not(Contains(StartsWith("dsq_unconsumed"))));

  // For 0.7 s there was nobody of another cgroup to dispatch: the CPU kept its task.
  TaskRow kept = Runs(6, 700);
  kept.cgroup = "/fast";
  EXPECT_THAT(machine(kept).Verdict(), StartsWith("Every runnable task of /slow waits"));
  EXPECT_THAT(machine(kept).Findings(), Not(Contains(StartsWith("scheduler_stalled"))));
  kept.cgroup = "/slow";
  EXPECT_THAT(machine(kept).Findings(), Contains(StartsWith("scheduler_stalled")));
}

TEST(VerdictTest, AQueueByVtimeIsNotAccusedOfItsOrder) {
  TaskRow waits = Waits(5, 1200), runs = Runs(6, 20);
  waits.scx_dsq_vtime = Hex(100);
  const auto findings = [&](uint64_t vtime) {
    runs.scx_dsq_vtime = Hex(vtime);
    DsqRow queue = Queue();
    queue.by_vtime = 1;
    DsqTaskRow in = InQueue(waits);
    in.vtime = Hex(100);
    return FindingsMachine()
        .WithCpus(0, {Hex(6)})
        .With(std::vector{Scheduler()})
        .With(std::vector{waits, runs})
        .With(std::vector{queue})
        .With(std::vector{in})
        .Findings();
  };
  EXPECT_THAT(findings(200), Contains(StartsWith("dsq_unconsumed")));
  EXPECT_THAT(findings(50), Not(Contains(StartsWith("dsq_unconsumed"))));
}

TEST(VerdictTest, ALostTaskIsNamedWithWhereItMightRun) {
  TaskRow lost = Waits(5, 1500);
  lost.scx_ops_state = "queued";
  lost.scx_ops_qseq = 9;
  FindingsMachine machine;
  machine.WithCpus(0, {Hex(6)}).With(std::vector{Scheduler()}).With(std::vector{lost, Runs(6, 5)});
  EXPECT_EQ(machine.Verdict(),
            "The scheduler s took t5 (5) in enqueue 1.500 s ago and never dispatched it, although "
            "it may use CPUs 0-1 (certain)");
  EXPECT_THAT(machine.Explained(), ElementsAre("long_wait <- lost_task"));
}

TEST(VerdictTest, AWatchdogThatStruckIsExplainedByTheHog) {
  ScxRow scx = Scheduler();
  scx.enable_state = "disabling";
  scx.bypass_depth = 1;
  scx.exit_kind = "error_stall";
  scx.exit_message = "t5[5] failed to run for 5.0s";
  scx.oldest_runnable_pid = 5;
  TaskRow waits = Waits(5, 5000);
  waits.affinity = "0";
  TaskRow hog = Runs(6, 5000, "rt");
  hog.policy = 1;
  hog.rt_priority = 50;
  FindingsMachine machine;
  machine.WithCpus(0, {Hex(6)}).With(std::vector{scx}).With(std::vector{waits, hog});
  EXPECT_THAT(machine.Explained(), Contains("scheduler_ended <- cpu_hog"));
  // Errors come first: what ended the scheduler is told with the cause above it.
  EXPECT_THAT(machine.Verdict(), StartsWith("t6 (6, FIFO 50) has had CPU 0 for 5.000 s; t5 (5) is "
                                            "pinned there"));
}

TEST(VerdictTest, ADispatchToAnOfflineCpu) {
  const TaskRow task = Waits(5, 10);
  const auto verdict = [&](int64_t online) {
    std::vector<CpuRow> cpus(1);
    cpus[0].cpu = 3;
    cpus[0].online = online;
    cpus[0].clock_ns = kNow;
    return FindingsMachine()
        .With(cpus)
        .With(std::vector{Scheduler()})
        .With(std::vector{task})
        .With(std::vector{Queue("local", 3)})
        .With(std::vector{InQueue(task)})
        .Verdict();
  };
  EXPECT_EQ(verdict(0), "The scheduler s dispatched t5 (5) to CPU 3, which is offline (certain)");
  EXPECT_THAT(verdict(1), Not(HasSubstr("offline")));
}

TEST(VerdictTest, ASchedulerWhoseTimerIsNotArmed) {
  BpfMapRow map;
  map.id = 4;
  map.name = "clock";
  BpfMapValueRow value;
  value.map_id = 4;
  const auto verdict = [&](const char* timer) {
    value.value = timer;
    return FindingsMachine()
        .WithCpus(1, {Hex(6)})
        .With(std::vector{Scheduler()})
        .With(std::vector{Waits(5, 900), Runs(6, 900)})
        .With(std::vector{map})
        .With(std::vector{value})
        .Verdict();
  };
  EXPECT_EQ(verdict(R"({"timer":{"armed":false,"callback":"tick"}})"),
            "The timer of the scheduler s (map clock, callback tick) is not armed, and the "
            "scheduler has dispatched nothing for 0.900 s: 1 task waits (likely)");
  EXPECT_THAT(verdict(R"({"timer":{"armed":true,"callback":"tick"}})"),
              StartsWith("The scheduler s has dispatched nothing"));
  EXPECT_THAT(verdict(R"({"timer":{"armed":false}})"),  // never given a callback
              StartsWith("The scheduler s has dispatched nothing"));
}

TEST(VerdictTest, ATaskInAQueueOfCpusThatItMayNotUse) {
  TaskRow waits = Waits(5, 1500);
  waits.affinity = "1";
  std::vector<TaskRow> tasks = {waits, Runs(6, 5)};
  std::vector<DsqTaskRow> queued = {InQueue(waits)};
  for (int64_t pid = 8; pid < 10; ++pid) {
    queued.push_back(InQueue(tasks.emplace_back(Waits(pid, 20))));
  }
  const auto machine = [&] {
    FindingsMachine machine;
    machine.WithCpus(0, {Hex(6)}).With(std::vector{Scheduler()}).With(tasks);
    machine.With(std::vector{Queue()}).With(queued);
    return machine;
  };
  EXPECT_THAT(machine().Findings(),
              Contains("no_cpu_in_domain warning t5 (5): may use only 1, and DSQ 0x7, in which it "
                       "has waited for 1.500 s, is consumed by others: CPU 0"));
  tasks[0].affinity = "0-1";
  EXPECT_THAT(machine().Findings(), Not(Contains(StartsWith("no_cpu_in_domain"))));
}

// Of several causes the deepest is the verdict, and no circle of explanations can be.
TEST(VerdictTest, AFindingIsExplainedByTheDeepestCause) {
  std::vector<FindingRow> findings(4);
  for (size_t i = 0; i < findings.size(); ++i) {
    findings[i].rank = static_cast<int64_t>(i + 1);
    findings[i].rule = i < 2 ? "long_wait" : "dsq_piled_up";
    findings[i].severity = "warning";
    findings[i].sentence = "s";
  }
  findings[1].explained_by = 1;
  findings[2].explained_by = 2;
  EXPECT_EQ(WhatItExplains(findings, 1), "1 long wait, 1 long queue");
  EXPECT_EQ(WhatItExplains(findings, 2), "1 long queue");
  EXPECT_EQ(WhatItExplains(findings, 4), "");
}

TEST(VerdictTest, EveryRuleSaysWhatItsFindingsAreCalled) {
  for (const FindingRule& rule : FindingRules()) {
    EXPECT_THAT(std::string(HeaderOf(rule, "counted")), HasSubstr(", ")) << rule.name;
  }
}

}  // namespace
}  // namespace ktstr
