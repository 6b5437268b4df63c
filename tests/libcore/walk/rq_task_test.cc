#include "libcore/walk/sched/rq_task.h"

#include <fmt/format.h>

#include "fixtures/synthetic/sched_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RqTaskTest : public ::testing::Test {
 protected:
  synthetic::KernelBuilder& b() { return guest_.builder(); }
  synthetic::RqBuilder& queues() { return sched_.queues(); }
  // A task in pages of its own.
  Kva NewTask(uint32_t pid, const std::string& sched_class = "fair") {
    b().Allocate(kPageSize, kPageSize);
    return sched_.AddProcess(
        {.pid = pid, .comm = fmt::format("task-{}", pid), .sched_class = sched_class});
  }
  // Tasks 1 to `count` in this order.
  std::vector<Kva> NewTasks(uint32_t count, const std::string& sched_class = "fair") {
    std::vector<Kva> tasks;
    for (uint32_t pid = 1; pid <= count; ++pid) tasks.push_back(NewTask(pid, sched_class));
    return tasks;
  }
  Kva MemberAt(Kva task, std::string_view path) {
    return task + b().MemberOf("task_struct", path).offset;
  }

  void Walk(const WalkLimits& limits = {}) {
    auto walked = WalkRqTasks(guest_.Open(), limits);
    ASSERT_TRUE(walked) << walked.error().ToString();
    walked_ = *std::move(walked);
  }
  // The pids in a queue; entities without one are 0.
  std::vector<int64_t> Queue(int64_t cpu, std::string_view queue) const {
    std::vector<int64_t> pids;
    for (const RqTaskRow& row : walked_.rows) {
      if (row.cpu != cpu || row.queue != queue) continue;
      EXPECT_EQ(row.position, static_cast<int64_t>(pids.size()));
      pids.push_back(row.pid.value_or(0));
    }
    return pids;
  }
  const RqTaskRow& ByPid(int64_t pid) const {
    return *std::find_if(walked_.rows.begin(), walked_.rows.end(),
                         [&](const RqTaskRow& row) { return row.pid == pid; });
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  Walked<RqTaskRow> walked_;
};

TEST_F(RqTaskTest, QueuesWithoutTasksHaveNoRows) {
  sched_.Finish();
  Walk();
  EXPECT_THAT(walked_.rows, IsEmpty());
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

// 7.3: groups have no entities in the tree; their tasks stand there themselves.
TEST(FlatFairQueueTest, TasksOfAllGroupsStandSideBySideAndThrottledOnesBeside) {
  WalkGuest guest;
  synthetic::KernelBuilder& b = guest.builder();
  synthetic::SchedBuilder sched(b, synthetic::SchedTypes{.flat_fair = true});
  synthetic::RqBuilder& queues = sched.queues();
  const Kva root = synthetic::NewCgroup(b, Kva(), "");
  queues.AddFlatGroup("queues_of_a", synthetic::NewCgroup(b, root, "a"));
  queues.AddFlatGroup("queues_of_b", synthetic::NewCgroup(b, root, "b"));
  const auto task = [&](uint32_t pid) { return sched.AddProcess({.pid = pid}); };
  queues.AddFlat(0, task(1), queues.QueueOfGroup("queues_of_b", 0), 20, 700);
  queues.AddFlat(0, task(2), queues.QueueOfGroup("queues_of_a", 0), 10, 300);
  queues.Throttle(task(3), queues.QueueOfGroup("queues_of_b", 1));
  queues.Throttle(task(4), queues.QueueOfGroup("queues_of_b", 1));
  sched.Finish();
  const auto walked = WalkRqTasks(guest.Open());
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_THAT(walked->anomalies, NoAnomalies());
  std::vector<std::string> rows;
  for (const RqTaskRow& row : walked->rows) {
    rows.push_back(fmt::format("{} {} {} {} {} {}", row.cpu, row.queue, row.position, *row.pid,
                               row.cgroup.value_or("?"), row.h_load.value_or(-1)));
  }
  EXPECT_THAT(rows, ElementsAre("0 cfs 0 2 /a 300", "0 cfs 1 1 /b 700", "1 cfs_throttled 0 3 /b 0",
                                "1 cfs_throttled 1 4 /b 0"));
}

TEST_F(RqTaskTest, AKernelWithoutSchedExtHasTheOtherQueues) {
  WalkGuest guest;
  synthetic::SchedBuilder sched(guest.builder(), /*scx=*/false);
  sched.queues().AddFair(sched.queues().RootFairQueue(0), sched.AddProcess({.pid = 1}), 10);
  sched.Finish();
  const auto walked = WalkRqTasks(guest.Open());
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_EQ(walked->rows.size(), 1u);
  EXPECT_THAT(walked->anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, FairTasksStandInTreeOrderTheRunningOneFirst) {
  const auto tasks = NewTasks(5);
  const Kva queue = queues().RootFairQueue(1);
  const uint64_t vruntimes[] = {300, 100, 200, 50};
  for (size_t i = 0; i < 4; ++i) queues().AddFair(queue, tasks[i], vruntimes[i]);
  queues().RunFair(queue, tasks[4]);
  sched_.Run(1, tasks[4]);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(1, "cfs"), ElementsAre(5, 4, 2, 3, 1));
  EXPECT_THAT(Queue(0, "cfs"), IsEmpty());
  EXPECT_EQ(ByPid(5).running, 1);
  EXPECT_EQ(ByPid(2).running, 0);
  EXPECT_EQ(ByPid(2).vruntime, 100);
  EXPECT_EQ(ByPid(2).comm, "task-2");
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, ATaskThatIsJustBeingPutBackIntoTheTreeIsGivenOnce) {
  const auto tasks = NewTasks(2);
  const Kva queue = queues().RootFairQueue(0);
  queues().AddFair(queue, tasks[0], 10);
  queues().AddFair(queue, tasks[1], 20);
  queues().RunFair(queue, tasks[1]);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(2, 1));
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, TasksOfAGroupStandWhereTheGroupDoes) {
  const auto tasks = NewTasks(6);
  const Kva root = queues().RootFairQueue(0);
  const Kva top = synthetic::NewCgroup(b(), Kva(), "");
  const Kva service = synthetic::NewCgroup(b(), top, "service");
  const Kva inner = synthetic::NewCgroup(b(), service, "inner");
  queues().AddFair(root, tasks[0], 10);
  const Kva group = queues().AddGroup(root, service, 20);
  queues().AddFair(root, tasks[1], 30);
  queues().AddFair(group, tasks[2], 5000);
  const Kva group_in_group = queues().AddGroup(group, inner, 6000);
  queues().AddFair(group_in_group, tasks[3], 1);
  queues().AddFair(group, tasks[4], 7000);
  queues().AddFair(group_in_group, tasks[5], 0);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 3, 6, 4, 5, 2));
  EXPECT_EQ(ByPid(1).depth, 0);
  EXPECT_EQ(ByPid(1).cgroup, std::nullopt);
  EXPECT_EQ(ByPid(3).depth, 1);
  EXPECT_EQ(ByPid(3).cgroup, "/service");
  EXPECT_EQ(ByPid(4).depth, 2);
  EXPECT_EQ(ByPid(4).cgroup, "/service/inner");
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, ARunningTaskInAGroupIsTheFirstOfAll) {
  const auto tasks = NewTasks(3);
  const Kva root = queues().RootFairQueue(0);
  const Kva top = synthetic::NewCgroup(b(), Kva(), "");
  queues().AddFair(root, tasks[0], 1);
  const Kva group = queues().AddGroup(root, synthetic::NewCgroup(b(), top, "g"), 99);
  queues().AddFair(group, tasks[1], 7);
  queues().RunGroup(root, group);
  queues().RunFair(group, tasks[2]);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(3, 2, 1));
}

TEST_F(RqTaskTest, RealTimeTasksStandByPriorityThenByArrival) {
  const auto tasks = NewTasks(4, "rt");
  queues().AddRealTime(0, tasks[0], 98);
  queues().AddRealTime(0, tasks[1], 10);
  queues().AddRealTime(0, tasks[2], 98);
  queues().AddRealTime(0, tasks[3], 0);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "rt"), ElementsAre(4, 2, 1, 3));
  EXPECT_EQ(ByPid(2).prio, 10);
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, RealTimeTasksOfAGroupStandWhereTheGroupDoes) {
  const auto tasks = NewTasks(3, "rt");
  queues().AddRealTime(0, tasks[0], 5);
  const Kva group = queues().AddRealTimeGroup(0, 20);
  queues().AddRealTimeToGroup(group, tasks[1], 20);
  queues().AddRealTime(0, tasks[2], 30);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "rt"), ElementsAre(1, 2, 3));
  EXPECT_EQ(ByPid(2).depth, 1);
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, DeadlineTasksStandByDeadlineAndAServerIsNoTask) {
  const auto tasks = NewTasks(2, "dl");
  queues().AddDeadline(1, tasks[0], 9000);
  queues().AddDeadlineServer(1, 7000);
  queues().AddDeadline(1, tasks[1], 5000);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(1, "dl"), ElementsAre(2, 0, 1));
  EXPECT_EQ(ByPid(2).deadline, 5000);
  EXPECT_EQ(ByPid(2).prio, -1);
  const RqTaskRow& server = walked_.rows[1];
  EXPECT_EQ(server.pid, std::nullopt);
  EXPECT_EQ(server.deadline, 7000);
  EXPECT_EQ(server.note, "deadline server of the fair class");
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

TEST_F(RqTaskTest, SchedExtHasItsLocalQueueAndAllThatIsRunnable) {
  const auto tasks = NewTasks(3, "ext");
  for (const Kva task : tasks) queues().AddRunnable(0, task);
  queues().AddLocal(0, tasks[2]);
  queues().AddLocal(0, tasks[0]);
  sched_.Finish();
  Walk();
  EXPECT_THAT(Queue(0, "scx_local"), ElementsAre(3, 1));
  EXPECT_THAT(Queue(0, "scx_runnable"), ElementsAre(1, 2, 3));
  EXPECT_THAT(walked_.anomalies, NoAnomalies());
}

// Seven fair tasks on CPU 0 (4 on top, 2 and 6 below), three real-time ones, three of sched_ext.
class DamagedRqTest : public RqTaskTest {
 protected:
  DamagedRqTest() {
    for (size_t i = 0; i < 7; ++i) queues().AddFair(queues().RootFairQueue(0), tasks_[i], i);
    for (size_t i = 7; i < 10; ++i) queues().AddRealTime(0, tasks_[i], 3);
    for (size_t i = 10; i < 13; ++i) queues().AddRunnable(0, tasks_[i]);
    sched_.Finish();
  }
  Kva Node(size_t pid) { return MemberAt(tasks_[pid - 1], "se.run_node"); }
  void SetLeft(size_t pid, Kva to) { b().Set("rb_node", Node(pid), "rb_left", to.value()); }
  void ExpectTheOtherQueues() const {
    EXPECT_THAT(Queue(0, "rt"), ElementsAre(8, 9, 10));
    EXPECT_THAT(Queue(0, "scx_runnable"), ElementsAre(11, 12, 13));
  }

  std::vector<Kva> tasks_ = NewTasks(13);
};

TEST_F(DamagedRqTest, ACycleInTheTreeCostsOnlyWhatHungThere) {
  SetLeft(2, Node(4));
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(2, 3, 4, 5, 6, 7));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("cycle", Node(4)));
  ExpectTheOtherQueues();
}

TEST_F(DamagedRqTest, AWildPointerInTheTreeCostsOnlyWhatHungThere) {
  SetLeft(6, guest_.Wild());
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 2, 3, 4, 6, 7));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unmapped", guest_.Wild()));
  ExpectTheOtherQueues();
}

TEST_F(DamagedRqTest, AnUnmappedTaskCostsOnlyItself) {
  const Kva unmapped = guest_.Unmapped();
  SetLeft(6, unmapped);
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 2, 3, 4, 6, 7));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unmapped", unmapped));
}

TEST_F(DamagedRqTest, ATaskInAPageThatWasLeftOutCostsOnlyItsSubtree) {
  guest_.LeaveOut(Node(7));
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unreadable", Node(7)));
  ExpectTheOtherQueues();
}

TEST_F(DamagedRqTest, TheCapEndsEachQueueByItself) {
  Walk({.max_nodes = 3});
  EXPECT_EQ(Queue(0, "cfs").size(), 3u);
  ExpectTheOtherQueues();
  ASSERT_EQ(walked_.anomalies.size(), 1u);
  EXPECT_EQ(walked_.anomalies[0].kind, "cap");
}

TEST_F(DamagedRqTest, AGroupThatContainsItselfEnds) {
  const Kva entity = MemberAt(tasks_[2], "se");
  b().Set("sched_entity", entity, "my_q", queues().RootFairQueue(0).value());
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 2, 4, 5, 6, 7));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("cycle", queues().RootFairQueue(0)));
}

TEST_F(DamagedRqTest, ARealTimeGroupThatContainsItselfEnds) {
  const Kva queue = queues().Rq(0) + b().MemberOf("rq", "rt").offset;
  b().Set("task_struct", tasks_[8], "rt.my_q", queue.value());
  Walk();
  EXPECT_THAT(Queue(0, "rt"), ElementsAre(8, 10));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("cycle", queue));
}

TEST_F(DamagedRqTest, ADamagedRealTimeListIsReachedFromItsOtherEnd) {
  b().Put(MemberAt(tasks_[7], "rt.run_list"), guest_.Wild());
  Walk();
  ExpectTheOtherQueues();
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(DamagedRqTest, ARunnableTaskThatWasLeftOutCostsOnlyItself) {
  const Kva lost = MemberAt(tasks_[11], "scx.runnable_node");
  guest_.LeaveOut(lost);
  Walk();
  EXPECT_THAT(Queue(0, "scx_runnable"), ElementsAre(11, 13));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unreadable", lost));
}

TEST_F(DamagedRqTest, ARunningEntityThatIsNoneCostsOnlyItself) {
  b().Set("cfs_rq", queues().RootFairQueue(0), "curr", guest_.Wild().value());
  Walk();
  EXPECT_THAT(Queue(0, "cfs"), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(walked_.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

}  // namespace
}  // namespace ktstr
