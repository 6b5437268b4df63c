// The verdict on what is none of a scheduler's faults: oopses, CPUs that are stuck, who holds
// locks, quotas, and classes above.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/findings/verdict.h"
#include "libcore/walk/system/cgroup.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/machine.h"
#include "libcore/walk/wait/wait.h"
#include "verdict_rows.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

LogRow Line(int64_t seq, const char* text) {
  LogRow row;
  row.seq = seq;
  row.time_ns = 3 * kSecond;
  row.facility = 0;
  row.level = 4;
  row.text = text;
  return row;
}

TEST(KernelVerdictTest, AnOopsSaysWhatWasHitWhereAndByWhom) {
  const std::vector<LogRow> log = {
      Line(1, "BUG: unable to handle page fault for address: 0000abcd"),
      Line(2, "#PF: supervisor read access in kernel mode"),
      Line(3, "Oops: Oops: 0000 [#1] SMP"),
      Line(4, "CPU: 1 UID: 0 PID: 5 Comm: a b Not tainted 7.1 #1"),
      Line(5, "RIP: 0010:broken+0x4/0x20"),
      Line(6, "Call Trace:"),
      Line(7, " <TASK>"),
      Line(8, " ? guess+0x1/0x2"),
      Line(9, " caller+0x13/0x30"),
      Line(10, " </TASK>"),
      Line(11, "Kernel panic - not syncing: Fatal exception")};
  FindingsMachine machine;
  machine.With(log).With(std::vector{Task(5)});
  EXPECT_EQ(
      machine.Verdict(),
      "t5 (5) on CPU 1 read from 0000abcd in broken+0x4, 3.000 s after boot; called by caller "
      "(certain)");
  EXPECT_THAT(machine.Explained(), ElementsAre("kernel_in_trouble <- kernel_crashed"));
  EXPECT_THAT(FindingsMachine().With(std::vector{Line(1, "reboot: Power down")}).Findings(),
              IsEmpty());
}

TEST(KernelVerdictTest, ACpuThatIsStuckInTheKernel) {
  TaskRow stuck = Runs(6, 3000, "fair"), stop = Task(7, "stop");
  stop.on_rq = 1;
  stop.comm = "migration/0";
  stop.waiting_ns = 2900 * kMillisecond;
  VcpuRow vcpu;
  vcpu.kernel_cpu = 0;
  vcpu.mode = "kernel";
  vcpu.rip_symbol = "busy+0x4";
  const auto machine = [&](const TaskRow& running) {
    std::vector<CpuRow> cpus = {CpuThatRuns(6)};
    cpus[0].stop_kva = Hex(7);
    FindingsMachine machine;
    machine.With(cpus).With(std::vector{running, stop}).With(std::vector{vcpu});
    return machine;
  };
  EXPECT_EQ(machine(stuck).Verdict(),
            "CPU 0 has been in busy+0x4 for 3.000 s with preemption off: t6 (6); migration/0 (7) "
            "waits for it (likely)");
  EXPECT_THAT(machine(stuck).Explained(), ElementsAre("long_wait <- cpu_stuck"));
  // One that has only just come did not keep the stop task waiting.
  EXPECT_THAT(machine(Runs(6, 3, "fair")).Findings(), Not(Contains(StartsWith("cpu_stuck"))));
}

TEST(KernelVerdictTest, WhoHoldsALockAndWaitsForACpu) {
  TaskRow owner = Waits(5, 200);
  owner.prio = 139;
  TaskRow waiter = Task(8, "rt");
  waiter.prio = 50;
  TaskRow middle = Runs(6, 300);
  middle.prio = 120;
  LockWaitRow wait;
  wait.pid = 8;
  wait.kind = "mutex";
  wait.lock_kva = Hex(0xa);
  wait.lock_symbol = "big_lock";
  wait.owner_kva = owner.task_kva;
  wait.task_kva = *waiter.task_kva;
  const auto verdict = [&](int64_t waiter_prio) {
    waiter.prio = waiter_prio;
    return FindingsMachine()
        .WithCpus(0, {Hex(6)})
        .With(std::vector{owner, waiter, middle})
        .With(std::vector{wait})
        .Verdict();
  };
  EXPECT_THAT(verdict(50), HasSubstr("t5 (5) holds the mutex big_lock, for which t8 (8) waits, and "
                                     "has waited for a CPU for 0.200 s; CPU 0 runs"));
  EXPECT_THAT(verdict(50), HasSubstr("in its place: a priority inversion (certain)"));
  EXPECT_THAT(verdict(130), Not(HasSubstr("inversion")));
  // A holder that runs is none's fault.
  owner = Runs(5, 200);
  EXPECT_THAT(verdict(50), StartsWith("Nothing is wrong"));
}

TEST(KernelVerdictTest, WhoSleepsWithALockForWhichManyWait) {
  TaskRow owner = Task(5);
  owner.state = "D";
  owner.wchan = "io_schedule";
  owner.last_arrival_ns = kNow - 3 * kSecond;
  std::vector<TaskRow> tasks = {owner};
  std::vector<LockWaitRow> waits;
  for (int64_t pid = 8; pid < 11; ++pid) {
    TaskRow& waiter = tasks.emplace_back(Task(pid));
    waiter.last_arrival_ns = kNow - 2 * kSecond;
    LockWaitRow& wait = waits.emplace_back();
    wait.pid = pid;
    wait.kind = "mutex";
    wait.lock_kva = Hex(0xa);
    wait.owner_kva = owner.task_kva;
    wait.task_kva = *waiter.task_kva;
  }
  const auto verdict = [&] {
    return FindingsMachine().WithCpus(2).With(tasks).With(waits).Verdict();
  };
  EXPECT_EQ(verdict(),
            "t5 (5) sleeps in io_schedule with the mutex 0x000000000000000a, for which 3 tasks "
            "have waited for some 2.000 s (likely)");
  // Of one that came lately nothing follows: locks are waited for all the time.
  tasks.back().last_arrival_ns = kNow - kMillisecond;
  EXPECT_THAT(verdict(), StartsWith("Nothing is wrong"));
}

TEST(KernelVerdictTest, AQuotaThatIsUsedUpIsNotTheSchedulersFault) {
  TaskRow waits = Task(5);
  waits.on_rq = 1;
  waits.cgroup = "/box/inner";
  waits.waiting_ns = 2 * kSecond;
  CgroupRow cgroup;
  cgroup.path = "/box";
  cgroup.hierarchy = 0;
  cgroup.cpu_max = "1000 100000";
  cgroup.throttled_cpus = "0";
  const auto machine = [&] {
    FindingsMachine machine;
    machine.WithCpus(2).With(std::vector{waits}).With(std::vector{cgroup});
    return machine;
  };
  EXPECT_EQ(machine().Verdict(),
            "The cgroup /box has used up its quota (cpu.max 1000 100000): t5 (5) waits for it, the "
            "first for 2.000 s; not the scheduler's fault (certain)");
  EXPECT_THAT(machine().Explained(), ElementsAre("long_wait <- quota_used_up"));
  cgroup.path = "/bo";  // another one, whose name only begins alike
  EXPECT_THAT(machine().Findings(), Not(Contains(StartsWith("quota_used_up"))));
}

TEST(KernelVerdictTest, AKernelThreadThatOthersStarve) {
  TaskRow worker = Waits(5, 2000);
  worker.is_kthread = 1;
  worker.affinity = "0";
  const auto findings = [&](int64_t running_ms) {
    return FindingsMachine()
        .WithCpus(0, {Hex(6)})
        .With(std::vector{Scheduler()})
        .With(std::vector{worker, Runs(6, running_ms)})
        .Findings();
  };
  EXPECT_THAT(findings(5), Contains("kthread_starved warning t5 (5): has waited for CPU 0 for "
                                    "2.000 s, while t6 (6) of class ext came there"));
  // One that has the CPU since before is the cause itself.
  EXPECT_THAT(findings(1900), Not(Contains(StartsWith("kthread_starved"))));
}

TEST(KernelVerdictTest, ADeadlineServerAtWork) {
  TaskRow rt = Task(5, "rt");
  rt.on_rq = 1;
  const auto findings = [&](int64_t active) {
    std::vector<CpuRow> cpus = {CpuThatRuns(6)};
    cpus[0].fair_server.runtime_ns = 50 * kMillisecond;
    cpus[0].fair_server.period_ns = kSecond;
    cpus[0].fair_server.active = active;
    return FindingsMachine().With(cpus).With(std::vector{rt, Runs(6, 5, "fair")}).Findings();
  };
  EXPECT_THAT(findings(1),
              ElementsAre("deadline_server info CPU 0: its deadline server lets t6 (6) of class "
                          "fair run before t5 (5) of class rt, 50 ms in each 1000 ms"));
  EXPECT_THAT(findings(0), IsEmpty());
}

}  // namespace
}  // namespace ktstr
