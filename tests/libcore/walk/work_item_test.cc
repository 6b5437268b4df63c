#include "libcore/walk/system/work_item.h"

#include <gmock/gmock.h>

#include "system_walk_test.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of workqueue "events": on CPU 0 three pending items and two that are being done; on CPU 1 one
// pending; in a pool of no CPU one that is pending and two that are held back.
class WorkItemTest : public SystemWalkTest {
 protected:
  explicit WorkItemTest(const synthetic::SystemOptions& options = {}) : SystemWalkTest(options) {
    function_ = builder_.Text("do_it");
    queue_ = system_.AddWorkqueue("events");
    const Kva cpu0 = system_.CpuPool(0, 1), cpu1 = system_.CpuPool(1, 0);
    unbound_ = system_.AddUnboundPool(8);
    pwq0_ = system_.AddPwq(queue_, cpu0);
    const Kva pwq1 = system_.AddPwq(queue_, cpu1);
    unbound_pwq_ = system_.AddPwq(queue_, unbound_);
    for (int i = 0; i < 3; ++i) pending_.push_back(system_.AddWork(function_, pwq0_));
    system_.SetPending(cpu0, pending_);
    other_ = system_.AddWork(function_, pwq1);
    system_.SetPending(cpu1, {other_});
    far_ = system_.AddWork(function_, unbound_pwq_);
    system_.SetPending(unbound_, {far_});
    for (int i = 0; i < 2; ++i) inactive_.push_back(system_.AddWork(function_, unbound_pwq_));
    system_.SetInactive(unbound_pwq_, inactive_);
    for (uint32_t pid : {30, 31}) {
      const Kva task = system_.AddTask(pid, "kworker/0:" + std::to_string(pid));
      running_.push_back(system_.AddWork(function_, pwq0_));
      workers_.push_back(system_.AddWorker(cpu0, 1, task, running_.back(), function_, pwq0_));
    }
    system_.Finish();
  }

  static std::vector<Kva> Works(const Walked<WorkItemRow>& walked, const std::string& state) {
    std::vector<Kva> works;
    for (const WorkItemRow& row : walked.rows) {
      if (row.state == state) works.push_back(Kva(row.work_kva->value));
    }
    return works;
  }

  Kva function_, queue_, unbound_, pwq0_, unbound_pwq_, other_, far_;
  std::vector<Kva> pending_, running_, inactive_, workers_;
};

TEST_F(WorkItemTest, TellsWhatIsDoneWhatWaitsAndWhatIsHeldBack) {
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(walked.anomalies, IsEmpty());
  EXPECT_EQ(Works(walked, "running"), running_);
  EXPECT_THAT(Works(walked, "pending"),
              ElementsAre(far_, pending_[0], pending_[1], pending_[2], other_));
  EXPECT_EQ(Works(walked, "inactive"), inactive_);
  for (const WorkItemRow& row : walked.rows) {
    EXPECT_EQ(row.function, "do_it");
    EXPECT_EQ(row.workqueue, "events");
  }
  const WorkItemRow& far = walked.rows[0];
  EXPECT_EQ(far.pool, 8);
  EXPECT_EQ(far.cpu, std::nullopt);
  EXPECT_EQ(far.nice, 0);
  const WorkItemRow& running = walked.rows[1];
  EXPECT_EQ(running.pool, 1);
  EXPECT_EQ(running.cpu, 0);
  EXPECT_EQ(running.nice, -20);
  EXPECT_EQ(running.worker_pid, 30);
  EXPECT_EQ(running.worker_comm, "kworker/0:30");
  EXPECT_EQ(walked.rows[5].position, 2);
  EXPECT_EQ(walked.rows.back().pool, 8);
}

TEST_F(WorkItemTest, WorkThatBelongsToNoWorkqueueHasNone) {
  const Kva stray = system_.AddWork(function_, Kva());
  system_.SetPending(unbound_, {stray});
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(walked.anomalies, IsEmpty());
  EXPECT_EQ(walked.rows[0].work_kva, Hex(stray));
  EXPECT_EQ(walked.rows[0].workqueue, std::nullopt);
}

TEST_F(WorkItemTest, AWildPointerInOneListCostsNoOther) {
  builder_.Put(system_.WorkNode(pending_[0]), kWild);
  builder_.Put(system_.WorkNode(inactive_[0]), kWild);
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(Works(walked, "pending"),
              ElementsAre(far_, pending_[0], pending_[1], pending_[2], other_));
  EXPECT_EQ(Works(walked, "inactive"), inactive_);
  EXPECT_EQ(Works(walked, "running"), running_);
  EXPECT_THAT(walked.anomalies, Not(IsEmpty()));
}

TEST_F(WorkItemTest, CyclesOfWorkAndWorkersCostNoOther) {
  builder_.Put(system_.WorkNode(pending_[1]), system_.WorkNode(pending_[0]));
  const uint64_t hentry = builder_.MemberOf("worker", "hentry").offset;
  builder_.Put(workers_[1] + hentry, workers_[0] + hentry);
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(Works(walked, "pending"),
              ElementsAre(far_, pending_[0], pending_[1], pending_[2], other_));
  EXPECT_EQ(Works(walked, "running"), running_);
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cycle"));
}

TEST_F(WorkItemTest, WhatIsInPagesThatWereLeftOutCostsNoOther) {
  LeaveOut(pending_[1]);
  LeaveOut(workers_[1]);
  LeaveOut(inactive_[1]);
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(Works(walked, "pending"), ElementsAre(far_, pending_[0], pending_[2], other_));
  EXPECT_THAT(Works(walked, "running"), ElementsAre(running_[0]));
  EXPECT_THAT(Works(walked, "inactive"), ElementsAre(inactive_[0]));
  EXPECT_THAT(Kinds(walked.anomalies), Contains("unreadable"));
}

TEST_F(WorkItemTest, ADamagedIndexOfPoolsCostsNoPoolOfACpu) {
  builder_.Set("idr", builder_.SymbolAddress("worker_pool_idr"), "idr_rt.xa_head",
               kWild.value() | 2);
  const auto walked = Walk(WalkWorkItems);
  EXPECT_THAT(Works(walked, "pending"), ElementsAre(pending_[0], pending_[1], pending_[2], other_));
  EXPECT_EQ(Works(walked, "inactive"), inactive_);
  EXPECT_THAT(walked.anomalies, Not(IsEmpty()));
}

TEST_F(WorkItemTest, TheCapEndsEachListAndSaysSo) {
  const auto walked = Walk(WalkWorkItems, {.max_nodes = 2});
  EXPECT_THAT(Works(walked, "pending"), ElementsAre(far_, pending_[0], pending_[1], other_));
  EXPECT_EQ(Works(walked, "running"), running_);
  EXPECT_THAT(Kinds(walked.anomalies), Contains("cap"));
}

class OlderWorkItemTest : public WorkItemTest {
 protected:
  OlderWorkItemTest() : WorkItemTest({.pwq_shift = false}) {}
};

TEST_F(OlderWorkItemTest, TheWorkqueueIsFoundWhereColourAndFlagsCountTogether) {
  const auto walked = Walk(WalkWorkItems);
  ASSERT_FALSE(walked.rows.empty());
  EXPECT_EQ(walked.rows[0].workqueue, "events");
}

}  // namespace
}  // namespace ktstr
