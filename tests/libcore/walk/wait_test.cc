// Tasks that wait for a mutex name it and its owner; damage to one lock's list costs its rows only.
#include "libcore/walk/wait/wait.h"

#include "fixtures/synthetic/lock_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LockWaitTest : public ::testing::Test {
 protected:
  Kva NewTask(uint32_t pid) { return sched_.AddProcess({.pid = pid, .state = 2}); }
  void Finish() {
    locks_.Finish();
    stacks_.Finish();
    sched_.Finish();
  }
  // "waiter waits for owner's, one of N" of every row.
  std::vector<std::string> Walk(const WalkLimits& limits = {}) {
    const GuestKernel& kernel = guest_.Open();
    const auto stacks = WalkStacks(kernel);
    EXPECT_TRUE(stacks) << stacks.error().ToString();
    const auto walked = WalkLockWaits(kernel, stacks->rows, limits);
    EXPECT_TRUE(walked) << walked.error().ToString();
    EXPECT_THAT(walked->anomalies, NoAnomalies());
    std::vector<std::string> rows;
    for (const LockWaitRow& row : walked->rows) {
      rows.push_back(std::to_string(*row.pid) + " " + row.kind + " " +
                     (row.owner_pid ? std::to_string(*row.owner_pid) : row.owner_note.value()) +
                     " " + std::to_string(*row.waiters));
    }
    return rows;
  }

  WalkGuest guest_;
  synthetic::SchedBuilder sched_{guest_.builder()};
  synthetic::StackBuilder stacks_{guest_.builder(), sched_};
  synthetic::LockBuilder locks_{guest_.builder(), stacks_};
};

TEST_F(LockWaitTest, EachWaiterNamesTheOwnerAndHowManyWait) {
  const Kva owner = NewTask(1), other = NewTask(2);
  const Kva first = locks_.AddMutex(owner), second = locks_.AddMutex(other);
  for (const uint32_t pid : {3, 4, 5}) locks_.AddWaiter(NewTask(pid), first);
  locks_.AddWaiter(NewTask(6), second);
  Finish();
  EXPECT_THAT(Walk(), ElementsAre("3 mutex 1 3", "4 mutex 1 3", "5 mutex 1 3", "6 mutex 2 1"));
}

// 7.3: nothing leads from a waiter to its lock but what the waiting function keeps.
TEST(LockRingTest, WaitersInARingNameTheOwnerAndHowManyWait) {
  WalkGuest guest;
  synthetic::SchedBuilder sched(guest.builder());
  synthetic::StackBuilder stacks(guest.builder(), sched);
  synthetic::LockBuilder locks(guest.builder(), stacks, synthetic::LockLayout::kRing);
  const auto task = [&](uint32_t pid) { return sched.AddProcess({.pid = pid, .state = 2}); };
  const Kva owner = task(1), other = task(2);
  const Kva first = locks.AddMutex(owner), second = locks.AddMutex(other);
  for (const uint32_t pid : {3, 4, 5}) locks.AddWaiter(task(pid), first);
  locks.AddWaiter(task(6), second);  // alone in its ring
  // Its ring is torn: it waits for nothing that could be named.
  const Kva torn = locks.AddMutex(owner);
  const Kva waiter = locks.AddWaiter(task(7), torn);
  locks.Finish();
  guest.builder().Put(locks.NodeOf(waiter), WalkGuest::Wild());
  stacks.Finish();
  sched.Finish();
  const GuestKernel& kernel = guest.Open();
  const auto walked = WalkLockWaits(kernel, WalkStacks(kernel).value().rows);
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_THAT(walked->anomalies, NoAnomalies());
  std::vector<std::string> rows;
  for (const LockWaitRow& row : walked->rows) {
    rows.push_back(std::to_string(*row.pid) + " " + std::to_string(row.owner_pid.value_or(-1)) +
                   " " + std::to_string(*row.waiters));
    EXPECT_EQ(row.lock_kva, Hex(*row.owner_pid == 1 ? first : second));
  }
  EXPECT_THAT(rows, ElementsAre("3 1 3", "4 1 3", "5 1 3", "6 2 1"));
}

TEST_F(LockWaitTest, AnOwnerThatIsNoTaskIsSaidToBeNone) {
  const Kva mutex = locks_.AddMutex(WalkGuest::Wild());
  locks_.AddWaiter(NewTask(3), mutex);
  const Kva free = locks_.AddMutex(Kva());
  locks_.AddWaiter(NewTask(4), free);
  Finish();
  EXPECT_THAT(Walk(), ElementsAre("3 mutex no task of that address is left 1",
                                  "4 mutex nobody holds it now 1"));
}

TEST_F(LockWaitTest, AWaiterThatWasTakenOffTheListWaitsForNothing) {
  const Kva mutex = locks_.AddMutex(NewTask(1));
  const Kva waiter = locks_.AddWaiter(NewTask(3), mutex);
  Finish();
  const Kva node = locks_.NodeOf(waiter);
  guest_.builder().Put(node, node);
  guest_.builder().Put(node + 8, node);
  EXPECT_THAT(Walk(), IsEmpty());
}

// Each waiter's list is gone through whole: of many in one it would take as long as they are many,
// squared.
TEST_F(LockWaitTest, OfVeryManyWaitersOfOneLockSomeAreToldAndThatThereAreMore) {
  constexpr uint32_t kWaiters = 60;
  const Kva mutex = locks_.AddMutex(NewTask(1));
  for (uint32_t i = 0; i < kWaiters; ++i) locks_.AddWaiter(NewTask(2 + i), mutex);
  Finish();
  const GuestKernel& kernel = guest_.Open();
  const auto stacks = WalkStacks(kernel).value();
  const auto walked = WalkLockWaits(kernel, stacks.rows, {.max_all_nodes = 100});
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_GT(walked->rows.size(), 10u);
  EXPECT_LT(walked->rows.size(), kWaiters);
  for (const LockWaitRow& row : walked->rows) EXPECT_EQ(row.waiters, kWaiters);
  ASSERT_EQ(walked->anomalies.size(), 1u) << ToText(walked->anomalies);
  EXPECT_EQ(walked->anomalies[0].kind, "cap");
}

// One of two locks is damaged in the way that the function says.
class DamagedLockTest : public LockWaitTest {
 protected:
  void Build() {
    const Kva owner = NewTask(1);
    damaged_ = locks_.AddMutex(owner);
    first_ = locks_.NodeOf(locks_.AddWaiter(NewTask(3), damaged_));
    second_ = locks_.NodeOf(locks_.AddWaiter(NewTask(4), damaged_));
    locks_.AddWaiter(NewTask(5), locks_.AddMutex(owner));
    Finish();
  }
  Kva damaged_, first_, second_;
};

TEST_F(DamagedLockTest, AWildPointer) {
  Build();
  guest_.builder().Put(second_, WalkGuest::Wild());
  EXPECT_THAT(Walk(), ElementsAre("5 mutex 1 1"));
}

TEST_F(DamagedLockTest, AnUnmappedNode) {
  Build();
  guest_.builder().Put(second_, guest_.Unmapped());
  EXPECT_THAT(Walk(), ElementsAre("5 mutex 1 1"));
}

TEST_F(DamagedLockTest, ALockInAPageThatWasLeftOut) {
  Build();
  guest_.LeaveOut(damaged_);
  EXPECT_THAT(Walk(), ElementsAre("5 mutex 1 1"));
}

TEST_F(DamagedLockTest, ACycleThatMissesTheLock) {
  Build();
  guest_.builder().Put(second_, first_);
  guest_.builder().Put(first_ + 8, second_);
  EXPECT_THAT(Walk(), ElementsAre("5 mutex 1 1"));
}

TEST_F(DamagedLockTest, AListLongerThanTheCap) {
  Build();
  EXPECT_THAT(Walk({.max_nodes = 2}), ElementsAre("5 mutex 1 1"));
}

}  // namespace
}  // namespace ktstr
