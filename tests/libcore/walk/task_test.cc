#include "libcore/walk/task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/cpu/cpu.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::SchedBuilder;
using synthetic::SyntheticGuest;
using ::testing::ElementsAre;

std::vector<int64_t> Pids(const Walked<TaskRow>& walked) {
  std::vector<int64_t> pids;
  for (const TaskRow& row : walked.rows) pids.push_back(row.pid.value_or(-1));
  return pids;
}

const TaskRow& ByPid(const Walked<TaskRow>& walked, int64_t pid) {
  return *std::find_if(walked.rows.begin(), walked.rows.end(),
                       [&](const TaskRow& row) { return row.pid == pid; });
}

Walked<TaskRow> WalkOrDie(SyntheticGuest& guest, const WalkLimits& limits = {}) {
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  if (!kernel) {
    ADD_FAILURE() << kernel.error().ToString();
    return {};
  }
  auto walked = WalkTasks(**kernel, limits);
  if (!walked) {
    ADD_FAILURE() << walked.error().ToString();
    return {};
  }
  return *std::move(walked);
}

TEST(TaskWalkTest, GivesIdleTasksLeadersAndThreads) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel);
  sched.AddProcess({.pid = 1, .comm = "init"});
  const Kva leader = sched.AddProcess({.pid = 10, .comm = "leader"});
  sched.AddThread(leader, {.pid = 11, .comm = "thread", .in_vmalloc = true});
  sched.AddProcess({.pid = 20, .comm = "last"});
  sched.Finish();
  SyntheticGuest guest = kernel.Finish();
  const auto walked = WalkOrDie(guest);
  EXPECT_THAT(Pids(walked), ElementsAre(0, 0, 1, 10, 11, 20));
  EXPECT_TRUE(walked.anomalies.empty());
  EXPECT_EQ(ByPid(walked, 11).tgid, 10);
  EXPECT_EQ(ByPid(walked, 11).comm, "thread");
  EXPECT_EQ(walked.rows[1].cpu, 1);
  EXPECT_EQ(walked.rows[1].comm, "swapper/1");
  EXPECT_EQ(walked.rows[1].is_kthread, 1);
}

TEST(TaskWalkTest, ReadsWhatAKernelWithoutSchedExtHasAndLeavesTheRestUnknown) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel, /*scx=*/false);
  sched.AddProcess({.pid = 5, .comm = "worker", .state = 1, .cpu = 1, .start_boottime_ns = 77});
  sched.Finish();
  SyntheticGuest guest = kernel.Finish();
  const auto walked = WalkOrDie(guest);
  const TaskRow& row = ByPid(walked, 5);
  EXPECT_EQ(row.state, "S");
  EXPECT_EQ(row.cpu, 1);
  EXPECT_EQ(row.sched_class, "fair");
  EXPECT_EQ(row.affinity, "0-1");
  EXPECT_EQ(row.start_boottime_ns, 77);
  EXPECT_EQ(row.scx_weight, std::nullopt);
  EXPECT_EQ(row.cgroup, std::nullopt);
  EXPECT_TRUE(walked.anomalies.empty());
}

// The row of a process of that layout.
TaskRow RowIn(synthetic::TaskLayout layout, synthetic::TaskSpec spec) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel, {.task = layout});
  spec.pid = 5;
  sched.AddProcess(spec);
  sched.Finish();
  SyntheticGuest guest = kernel.Finish();
  const auto walked = WalkOrDie(guest);
  EXPECT_TRUE(walked.anomalies.empty());
  return ByPid(walked, 5);
}

TEST(TaskWalkTest, TheCpuThatTheTaskItselfKeepsComesBeforeThatOfThreadInfo) {
  EXPECT_EQ(RowIn(synthetic::TaskLayout::kUsual, {.cpu = 1}).cpu, 1);
  EXPECT_EQ(RowIn(synthetic::TaskLayout::kTwoCpus, {.cpu = 1}).cpu, 1);
}

TEST(TaskWalkTest, MembersAreAsWideAsTheKernelHasThem) {
  const TaskRow row = RowIn(synthetic::TaskLayout::kBytes, {.on_rq = 0, .on_cpu = 1});
  EXPECT_EQ(row.on_rq, 0);
  EXPECT_EQ(row.on_cpu, 1);
  const TaskRow old = RowIn(synthetic::TaskLayout::kOldState, {.state = 2});
  EXPECT_EQ(old.state, "D");
  EXPECT_EQ(old.start_boottime_ns, 1'000'000'500);
}

TEST(TaskWalkTest, CountsMovesBetweenCpus) {
  EXPECT_EQ(RowIn(synthetic::TaskLayout::kUsual, {.nr_migrations = 7}).nr_migrations, 7);
}

TEST(TaskWalkTest, ATaskInAPageThatWasLeftOutCostsOnlyItself) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel);
  sched.AddProcess({.pid = 1});
  kernel.Allocate(kPageSize, kPageSize);
  const Kva lost = sched.AddProcess({.pid = 2});
  kernel.Allocate(kPageSize, kPageSize);
  sched.AddProcess({.pid = 3});
  sched.AddProcess({.pid = 4});
  sched.Finish();
  const Pa lost_pa = kernel.PaOf(lost);
  SyntheticGuest guest = kernel.Finish();
  guest.memory->LeaveOut(Pfn::Of(lost_pa), LeftOutReason::kFree);
  const auto walked = WalkOrDie(guest);
  EXPECT_THAT(Pids(walked), ElementsAre(0, 0, 1, 3, 4));
  EXPECT_FALSE(walked.anomalies.empty());
}

TEST(TaskWalkTest, ADamagedThreadListCostsNoOtherProcess) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel);
  const Kva broken = sched.AddProcess({.pid = 1});
  sched.AddThread(broken, {.pid = 2});
  sched.AddProcess({.pid = 3});
  sched.Finish();
  kernel.Put(sched.ThreadHead(broken), Kva(0xdead000000000100));
  SyntheticGuest guest = kernel.Finish();
  const auto walked = WalkOrDie(guest);
  EXPECT_THAT(Pids(walked), ElementsAre(0, 0, 1, 2, 3));
  ASSERT_FALSE(walked.anomalies.empty());
  EXPECT_EQ(walked.anomalies[0].walker, "task");
}

TEST(TaskWalkTest, TheCapEndsTheWalkAndSaysSo) {
  KernelBuilder kernel;
  SchedBuilder sched(kernel);
  for (uint32_t pid = 1; pid <= 20; ++pid) sched.AddProcess({.pid = pid});
  sched.Finish();
  SyntheticGuest guest = kernel.Finish();
  const auto walked = WalkOrDie(guest, {.max_nodes = 5});
  EXPECT_EQ(walked.rows.size(), 2u + 5u);
  ASSERT_FALSE(walked.anomalies.empty());
  EXPECT_EQ(walked.anomalies[0].kind, "cap");
}

TEST(TaskWalkTest, StateLettersAreThoseOfPs) {
  EXPECT_EQ(TaskStateLetter(0, 0), 'R');
  EXPECT_EQ(TaskStateLetter(1, 0), 'S');
  EXPECT_EQ(TaskStateLetter(0x2001, 0), 'S');  // freezable
  EXPECT_EQ(TaskStateLetter(2, 0), 'D');
  EXPECT_EQ(TaskStateLetter(4, 0), 'T');
  EXPECT_EQ(TaskStateLetter(8, 0), 't');
  EXPECT_EQ(TaskStateLetter(0x80, 0x10), 'X');
  EXPECT_EQ(TaskStateLetter(0x80, 0x20), 'Z');
  EXPECT_EQ(TaskStateLetter(0x40, 0), 'P');
  EXPECT_EQ(TaskStateLetter(0x402, 0), 'I');
  EXPECT_EQ(TaskStateLetter(0x2402, 0), 'I');
  EXPECT_EQ(TaskStateLetter(0x1000, 0), 'D');  // waits for an rt_mutex lock
  EXPECT_EQ(TaskStateLetter(0x8000, 0), 'D');  // frozen
}

TEST(CpuWalkTest, EveryCpuHasARow) {
  KernelBuilder kernel(synthetic::KernelOptions{.cpus = 4});
  SchedBuilder sched(kernel);
  sched.AddProcess({.pid = 1});
  sched.Finish();
  SyntheticGuest guest = kernel.Finish();
  const auto opened = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(opened) << opened.error().ToString();
  const auto walked = WalkCpus(**opened);
  ASSERT_TRUE(walked) << walked.error().ToString();
  ASSERT_EQ(walked->rows.size(), 4u);
  EXPECT_EQ(walked->rows[3].nr_switches, 1003);
  EXPECT_EQ(walked->rows[3].curr_pid, 0);
  EXPECT_EQ(walked->rows[3].scx_nr_running, 0);
  EXPECT_TRUE(walked->anomalies.empty());
}

}  // namespace
}  // namespace ktstr
