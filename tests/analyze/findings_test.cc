// Rules find what they are for, and nothing where it is not.
#include "analyze/findings/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "findings_machine.h"
#include "libcore/walk/bpf/holder.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/sched/scx_cpu.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/machine.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TaskRow Waiting(int64_t pid, int64_t waiting_ns, const std::string& sched_class = "fair") {
  TaskRow task = Task(pid, sched_class);
  task.on_rq = 1;
  task.state = "R";
  task.waiting_ns = waiting_ns;
  return task;
}

DsqRow Queue(const std::string& kind, std::optional<int64_t> cpu = std::nullopt) {
  DsqRow queue;
  queue.kind = kind;
  queue.cpu = cpu;
  queue.dsq_id = Hex(7);
  queue.dsq_kva = Hex(0xd);
  queue.nr = 1;
  return queue;
}

DsqTaskRow InQueue(int64_t pid, int64_t waiting_ms) {
  DsqTaskRow row;
  row.dsq_id = Hex(7);
  row.dsq_kva = Hex(0xd);
  row.pid = pid;
  row.task_kva = Hex(static_cast<uint64_t>(pid));
  row.position = 0;
  row.waiting_ms = waiting_ms;
  return row;
}

TEST(FindingsTest, ARestingMachineHasNone) {
  EXPECT_THAT(FindingsMachine().Findings(), IsEmpty());
  EXPECT_THAT(FindingsMachine().WithCpus(2).With(std::vector{Task(5)}).Findings(), IsEmpty());
}

TEST(FindingsTest, WhoWaitsForLongerThanASecondIsNamedTheLongestFirst) {
  EXPECT_THAT(
      FindingsMachine()
          .With(std::vector{Waiting(5, kSecond), Waiting(6, 2 * kSecond), Waiting(7, 11 * kSecond)})
          .Findings(),
      ElementsAre("long_wait error t7 (7): class fair, on CPU 0: runnable for 11.000 s without "
                  "running",
                  "long_wait warning t6 (6): class fair, on CPU 0: runnable for 2.000 s without "
                  "running"));
}

TEST(FindingsTest, OfVeryManyTheFirstAreNamedAndTheRestCounted) {
  std::vector<TaskRow> tasks;
  for (int64_t pid = 1; pid <= 150; ++pid) tasks.push_back(Waiting(pid, (200 - pid) * kSecond));
  const auto findings = FindingsMachine().With(tasks).Findings();
  ASSERT_EQ(findings.size(), 101u);
  EXPECT_EQ(findings.back(), "long_wait error others: 50 more like these");
}

TEST(FindingsTest, ATaskThatTheSchedulerKeepsIsLost) {
  TaskRow lost = Waiting(5, 3 * kSecond, "ext"), kept = Waiting(6, kSecond / 2, "ext");
  lost.scx_ops_state = kept.scx_ops_state = "queued";
  lost.scx_ops_qseq = 9;
  lost.scx_waiting_ms = 3000;
  kept.scx_waiting_ms = 500;
  EXPECT_THAT(FindingsMachine().With(std::vector{lost, kept}).Findings(),
              ElementsAre("lost_task error t5 (5): runnable for 3.000 s and in no dispatch queue; "
                          "the scheduler has had it since its enqueueing 9",
                          "long_wait warning t5 (5): class ext, on CPU 0: runnable for 3.000 s "
                          "without running"));
}

// A scheduler in user space whose process, 9, is in that state; tasks 5 and 6 wait for it, the
// latter not for long. So many of them are in its map.
std::vector<std::string> FindingsOfUserScheduler(const char* state, const char* map_type,
                                                 std::optional<int64_t> entries = 1) {
  std::vector<TaskRow> tasks = {Waiting(5, 0, "ext"), Waiting(6, 0, "ext"), Task(9)};
  for (TaskRow& task : std::span(tasks).first(2)) {
    task.scx_ops_state = "queued";
    task.scx_ops_qseq = 1;
    task.scx_waiting_ms = 3000;
    task.waiting_ns.reset();
  }
  tasks[1].scx_waiting_ms = 300;
  tasks[2].state = state;
  BpfMapRow queue, ops;
  queue.id = 1;
  queue.name = "enqueued";
  queue.type = map_type;
  queue.entries = entries;
  ops.id = 2;
  ops.name = "user_ops";
  ops.type = "struct_ops";
  std::vector<std::string> findings =
      FindingsMachine()
          .With(tasks)
          .With(std::vector{queue, ops})
          .With(std::vector<BpfHolderRow>{{"map", 1, 9, 4}, {"map", 2, 9, 5}, {"map", 1, 9, 6}})
          .Findings();
  std::erase_if(findings, [](const std::string& text) { return text.starts_with("long_wait"); });
  return findings;
}

TEST(FindingsTest, AStoppedSchedulerInUserSpaceIsNamedInsteadOfEachTaskThatWaitsForIt) {
  EXPECT_THAT(FindingsOfUserScheduler("T", "queue"),
              ElementsAre("loader_stopped error t9 (9): the scheduler's process is stopped and 2 "
                          "tasks wait for it, the first for 3.000 s; queue map enqueued holds 1"));
  EXPECT_THAT(FindingsOfUserScheduler("T", "ringbuf", std::nullopt),
              ElementsAre(testing::HasSubstr("queue map enqueued holds an unknown number")));
  // One that runs has lost what waits for long, and so has one that has no queue to user space.
  EXPECT_THAT(FindingsOfUserScheduler("S", "queue"), ElementsAre(testing::StartsWith("lost_task")));
  EXPECT_THAT(FindingsOfUserScheduler("T", "array"), ElementsAre(testing::StartsWith("lost_task")));
}

// "qmap", and sub-schedulers of that name for /a and /a/b.
std::vector<ScxRow> Tree() {
  std::vector<ScxRow> rows(3);
  for (int64_t i = 0; i < 3; ++i) {
    rows[i].scheduler = i;
    rows[i].level = i;
    rows[i].ops_name = "qmap";
    rows[i].enable_state = "enabled";
    rows[i].exit_kind = "none";
    rows[i].watchdog_timeout_ms = 5000;
  }
  rows[0].cgroup = "/";
  rows[1].cgroup = "/a";
  rows[2].cgroup = "/a/b";
  return rows;
}

TEST(FindingsTest, ASubSchedulerIsNamedWithItsCgroup) {
  std::vector<ScxRow> ends = Tree(), waits = Tree(), bypassed = Tree();
  ends[1].exit_kind = "error_bpf";
  ends[1].exit_message = "too bad";
  ends[2].exit_kind = "parent";
  EXPECT_THAT(FindingsMachine().With(ends).Findings(),
              ElementsAre("scheduler_ended error scheduler qmap of cgroup /a: error_bpf (too bad)",
                          "scheduler_ended info scheduler qmap of cgroup /a/b: parent"));
  waits[0].watchdog_margin_ms = 4000;
  waits[2].oldest_runnable_pid = 7;
  waits[2].oldest_waiting_ms = 3000;
  waits[2].watchdog_margin_ms = 2000;
  EXPECT_THAT(FindingsMachine().With(waits).Findings(),
              ElementsAre("watchdog_near warning scheduler qmap of cgroup /a/b: task 7 has been "
                          "runnable for 3.000 s of the 5.000 s after which the watchdog ends the "
                          "scheduler"));
  bypassed[1].bypass_depth = 1;
  EXPECT_THAT(FindingsMachine().With(bypassed).Findings(),
              ElementsAre("scheduler_bypassed warning scheduler qmap of cgroup /a: is enabled, "
                          "with a bypass depth of 1"));
}

TEST(FindingsTest, WhatWaitsForASubSchedulerNamesIt) {
  TaskRow lost = Waiting(5, 3 * kSecond, "ext");
  lost.scx_ops_state = "queued";
  lost.scx_ops_qseq = 9;
  lost.scx_waiting_ms = 3000;
  lost.scx_scheduler = 2;
  DsqRow queue = Queue("user");
  queue.scheduler = 1;
  EXPECT_THAT(
      FindingsMachine()
          .With(Tree())
          .With(std::vector{lost, Task(6)})
          .With(std::vector{queue})
          .With(std::vector{InQueue(6, 1200)})
          .Findings(),
      ElementsAre("lost_task error t5 (5): runnable for 3.000 s and in no dispatch queue; the "
                  "scheduler qmap of cgroup /a/b has had it since its enqueueing 9",
                  "long_wait warning t5 (5): class ext of scheduler qmap of cgroup /a/b, on CPU "
                  "0: runnable for 3.000 s without running",
                  "dsq_piled_up warning DSQ 0x7 of scheduler qmap of cgroup /a: 1 task waits in "
                  "this user queue, the first for 1.200 s"));
}

TEST(FindingsTest, ACpuThatASubSchedulerWasNotGivenMayIdleBesideItsWork) {
  DsqRow queue = Queue("user");
  queue.scheduler = 1;
  std::vector<ScxCpuRow> cpus(2);
  cpus[0].scheduler = cpus[1].scheduler = 1;
  cpus[1].cpu = 1;
  cpus[0].caps = "";
  cpus[1].caps = "enq_immed|enq";
  EXPECT_THAT(FindingsMachine()
                  .With(Tree())
                  .WithCpus(2)
                  .With(std::vector{Task(5)})
                  .With(std::vector{queue})
                  .With(std::vector{InQueue(5, 200)})
                  .With(cpus)
                  .Findings(),
              ElementsAre("idle_beside_work warning CPU 1: idle, while 1 task that may use it "
                          "waits in DSQ 0x7 of scheduler qmap of cgroup /a, for "
                          "0.200 s"));
}

TEST(FindingsTest, AQueueWhoseTasksAgeIsPiledUp) {
  FindingsMachine machine;
  machine.With(std::vector{Queue("user")})
      .With(std::vector{InQueue(5, 1200), InQueue(6, 300)})
      .With(std::vector{Task(5), Task(6)});
  EXPECT_THAT(machine.Findings(),
              ElementsAre("dsq_piled_up warning DSQ 0x7: 2 tasks wait in this user "
                          "queue, the first for 1.200 s"));
}

TEST(FindingsTest, AnIdleCpuBesideWorkThatItMayDo) {
  const auto machine = [](const char* affinity, int64_t waiting_ms) {
    TaskRow task = Task(5);
    task.affinity = affinity;
    return FindingsMachine()
        .WithCpus(1, {Hex(6)})
        .With(std::vector{task})
        .With(std::vector{Queue("user")})
        .With(std::vector{InQueue(5, waiting_ms)})
        .Findings();
  };
  EXPECT_THAT(machine("0-1", 50),
              ElementsAre("idle_beside_work warning CPU 0: idle, while 1 task that may use it "
                          "waits in DSQ 0x7, for 0.050 s"));
  EXPECT_THAT(machine("1", 50),
              ElementsAre("not_allowed_on_idle_cpus info t5 (5): waits in DSQ 0x7 "
                          "for 0.050 s and may use only CPU 1, which is not idle"));
  EXPECT_THAT(machine("0-1", 1), IsEmpty());
}

TEST(FindingsTest, ATaskOnAForbiddenCpusQueue) {
  TaskRow task = Task(5);
  task.affinity = "0,2-3";
  const auto on_cpu = [&](int64_t cpu) {
    return FindingsMachine()
        .With(std::vector{task})
        .With(std::vector{Queue("local", cpu)})
        .With(std::vector{InQueue(5, 1)})
        .Findings();
  };
  EXPECT_THAT(on_cpu(1), ElementsAre("wrong_cpu error t5 (5): stands in the local queue of CPU 1, "
                                     "and may use only 0,2-3"));
  EXPECT_THAT(on_cpu(3), IsEmpty());
}

TEST(FindingsTest, AClockThatStandsWhileItsCpuRuns) {
  CpuRow cpu;
  cpu.cpu = 1;
  cpu.online = 1;
  cpu.curr_kva = Hex(5);
  cpu.curr_pid = 5;
  cpu.curr_comm = "t5";
  cpu.idle_kva = IdleTaskOf(1);
  cpu.nr_running = 1;
  cpu.clock_behind_ns = 3 * kSecond;
  EXPECT_THAT(FindingsMachine().With(std::vector{cpu}).Findings(),
              ElementsAre("clock_behind warning CPU 1: runs t5 (5), and its run queue's clock is "
                          "3.000 s behind that of other CPUs"));
  cpu.curr_kva = cpu.idle_kva;
  EXPECT_THAT(FindingsMachine().With(std::vector{cpu}).Findings(), IsEmpty());
}

TEST(FindingsTest, AWatchdogThatIsAboutToFire) {
  ScxRow scx;
  scx.ops_name = "s";
  scx.enable_state = "enabled";
  scx.watchdog_timeout_ms = 2000;
  scx.oldest_runnable_pid = 5;
  scx.oldest_waiting_ms = 1500;
  scx.watchdog_margin_ms = 500;
  scx.exit_kind = "none";
  EXPECT_THAT(FindingsMachine().With(std::vector{scx}).Findings(),
              ElementsAre("watchdog_near warning scheduler s: task 5 has been runnable for 1.500 s "
                          "of the 2.000 s after which the watchdog ends the scheduler"));
  scx.watchdog_margin_ms = 1500;
  EXPECT_THAT(FindingsMachine().With(std::vector{scx}).Findings(), IsEmpty());
}

TEST(FindingsTest, AHogByItsClassAndOnlyWhereOthersWait) {
  const auto running = [](const char* sched_class, int64_t ran_ns, int64_t queued) {
    TaskRow task = Task(5, sched_class);
    task.last_arrival_ns = 100 * kSecond - ran_ns;
    return FindingsMachine().WithCpus(0, {Hex(5)}, queued).With(std::vector{task}).Findings();
  };
  EXPECT_THAT(
      running("rt", kSecond / 2, 3),
      ElementsAre("cpu_hog warning CPU 0: t5 (5) of class rt has it for 0.500 s; 3 tasks are "
                  "queued"));
  EXPECT_THAT(running("fair", kSecond / 2, 3), IsEmpty());
  EXPECT_THAT(running("fair", 11 * kSecond, 3).size(), 1u);
  EXPECT_THAT(running("rt", kSecond / 2, 1), IsEmpty());
}

TEST(FindingsTest, DamageIsCountedByWalkerAndKind) {
  const AnomalyRow cycle = {"task", "cycle", Hex(0xff), "the list"};
  EXPECT_THAT(FindingsMachine().With(std::vector{cycle, cycle}).Findings(),
              ElementsAre("damage error task: cycle: 2 times, first at 0x00000000000000ff: the "
                          "list"));
}

TEST(FindingsTest, WhatANewerKernelHasNoMoreIsNoDamage) {
  const AnomalyRow member = {"task", "no member", std::nullopt, "struct task_struct has no 'se'"};
  const AnomalyRow cycle = {"task", "cycle", Hex(0xff), "the list"};
  const MachineRow known = {"newer_than_tried", std::nullopt};
  const MachineRow newer = {"newer_than_tried", "kernel 99.0 is newer than this program"};
  const auto found = [](const MachineRow& machine, const AnomalyRow& anomaly) {
    return FindingsMachine()
        .With(std::vector{machine})
        .With(std::vector{anomaly})
        .Findings()
        .size();
  };
  EXPECT_EQ(found(known, member), 1u);
  EXPECT_EQ(found(newer, member), 0u);
  EXPECT_EQ(found(newer, cycle), 1u);
}

TEST(FindingsTest, ASchedulerThatEndedOrIsBypassed) {
  ScxRow scx;
  scx.ops_name = "s";
  scx.enable_state = "disabling";
  scx.bypass_depth = 1;
  scx.exit_kind = "error_stall";
  scx.exit_reason = "runnable task stall";
  scx.exit_message = "t5[5] failed to run for 2.0s";
  EXPECT_THAT(FindingsMachine().With(std::vector{scx}).Findings(),
              ElementsAre("scheduler_ended error scheduler s: error_stall: runnable task stall "
                          "(t5[5] failed to run for 2.0s)",
                          "scheduler_bypassed warning scheduler s: is disabling, with a bypass "
                          "depth of 1"));
}

TEST(FindingsTest, AKernelInTrouble) {
  const auto line = [](int64_t seq, int64_t level, const char* text) {
    LogRow row;
    row.seq = seq;
    row.time_ns = seq * kSecond;
    row.facility = 0;
    row.level = level;
    row.text = text;
    return row;
  };
  EXPECT_THAT(
      FindingsMachine()
          .With(std::vector{line(1, 6, "BUG in no way"), line(2, 1, "BUG: scheduling while atomic"),
                            line(3, 0, "Kernel panic - not syncing: test")})
          .Findings(),
      ElementsAre("kernel_crashed error a task: Kernel panic - not syncing: test",
                  "kernel_in_trouble error kernel log: 2 such lines, the first after "
                  "2.000 s: BUG: scheduling while atomic"));
  EXPECT_THAT(FindingsMachine().With(std::vector{line(1, 6, "all is well")}).Findings(), IsEmpty());
  // kernel/reboot.c says so with level 0 of every machine that is switched off.
  EXPECT_THAT(FindingsMachine().With(std::vector{line(1, 0, "reboot: Power down")}).Findings(),
              IsEmpty());
}

}  // namespace
}  // namespace ktstr
