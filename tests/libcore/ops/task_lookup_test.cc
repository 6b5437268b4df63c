#include "libcore/ops/task_lookup.h"

#include "ops_guest.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;

class TaskLookupTest : public ::testing::Test {
 protected:
  OpsGuest& Guest() {
    if (!guest_) {
      sched_.Finish();
      if (damage_) damage_();
      guest_ = std::make_unique<OpsGuest>(builder_);
    }
    return *guest_;
  }
  OpResult<Kva> Find(uint32_t pid) {
    const auto layout = TaskListLayout::Of(Guest().kernel());
    if (!layout) return tl::make_unexpected(layout.error());
    return FindTask(Guest().kernel(), *layout, pid);
  }
  OpError FindError(uint32_t pid) {
    const auto found = Find(pid);
    EXPECT_FALSE(found);
    return found ? OpError{} : found.error();
  }

  KernelBuilder builder_;
  SchedBuilder sched_{builder_};
  std::function<void()> damage_;  // to be done when the lists are linked
  std::unique_ptr<OpsGuest> guest_;
};

TEST_F(TaskLookupTest, FindsLeadersAndThreads) {
  const Kva init = sched_.AddProcess({.pid = 1});
  const Kva leader = sched_.AddProcess({.pid = 10});
  const Kva thread = sched_.AddThread(leader, {.pid = 11});
  const Kva last_thread = sched_.AddThread(leader, {.pid = 12, .in_vmalloc = true});
  const Kva last = sched_.AddProcess({.pid = 20});
  EXPECT_EQ(Find(1), init);
  EXPECT_EQ(Find(10), leader);
  EXPECT_EQ(Find(11), thread);
  EXPECT_EQ(Find(12), last_thread);
  EXPECT_EQ(Find(20), last);
}

TEST_F(TaskLookupTest, APidThatNobodyHasIsNotFound) {
  const Kva leader = sched_.AddProcess({.pid = 10});
  sched_.AddThread(leader, {.pid = 11});
  const OpError error = FindError(12);
  EXPECT_EQ(error.code, OpErrorCode::kTaskNotFound);
  EXPECT_EQ(error.layer, OpLayer::kTaskLookup);
  EXPECT_THAT(error.text, HasSubstr("2 leaders and threads"));
}

TEST_F(TaskLookupTest, TheListsEndUnderKaslrBecauseTheirHeadIsARunTimeAddress) {
  // With a link-time head the walk would not know it when it comes round.
  ASSERT_NE(builder_.options().kaslr_offset, 0u);
  sched_.AddProcess({.pid = 10});
  EXPECT_EQ(FindError(99).code, OpErrorCode::kTaskNotFound);
}

TEST_F(TaskLookupTest, InitTaskIsNeverFound) {
  sched_.AddProcess({.pid = 10});
  EXPECT_EQ(FindError(0).code, OpErrorCode::kTaskNotFound);
}

TEST_F(TaskLookupTest, AThreadListThatLeadsToInitTaskIsRefused) {
  const Kva leader = sched_.AddProcess({.pid = 10});
  damage_ = [&] { builder_.Put(sched_.ThreadHead(leader), sched_.ThreadNode(sched_.init_task())); };
  for (const uint32_t pid : {0u, 99u}) {
    EXPECT_EQ(FindError(pid).code, OpErrorCode::kTaskIsInit) << pid;
  }
}

TEST_F(TaskLookupTest, AnEmptyListIsAnError) {
  EXPECT_EQ(FindError(1).code, OpErrorCode::kTaskListEmpty);
}

TEST_F(TaskLookupTest, AHeadOfZeroIsABrokenList) {
  sched_.AddProcess({.pid = 1});
  damage_ = [&] { builder_.Put<uint64_t>(sched_.TasksNode(sched_.init_task()), 0); };
  const OpError error = FindError(1);
  EXPECT_EQ(error.code, OpErrorCode::kTaskListBroken);
  EXPECT_THAT(error.text, HasSubstr("init_task"));
}

TEST_F(TaskLookupTest, AHeadThatCannotBeReadIsAnErrorWithItsReason) {
  sched_.AddProcess({.pid = 1});
  OpsGuest& guest = Guest();
  const auto layout = TaskListLayout::Of(guest.kernel());
  const Pa pa = guest.kernel().text_kva_to_pa(layout->init_task + layout->tasks);
  guest.memory().LeaveOut(Pfn::Of(pa), LeftOutReason::kFree);
  const OpError error = FindTask(guest.kernel(), *layout, 1).error();
  EXPECT_EQ(error.code, OpErrorCode::kTaskUnmapped);
  EXPECT_THAT(error.text, HasSubstr("free"));
}

TEST_F(TaskLookupTest, AChainThatBreaksAfterTheTaskIsNoMatter) {
  const Kva first = sched_.AddProcess({.pid = 1});
  const Kva second = sched_.AddProcess({.pid = 2});
  sched_.AddProcess({.pid = 3});
  damage_ = [&] { builder_.Put<uint64_t>(sched_.TasksNode(second), 0); };
  EXPECT_EQ(Find(1), first);
  EXPECT_EQ(Find(2), second);
  const OpError error = FindError(3);
  EXPECT_EQ(error.code, OpErrorCode::kTaskListBroken);
  EXPECT_THAT(error.text, HasSubstr("after 2 nodes"));
}

TEST_F(TaskLookupTest, ACycleOfLeadersEndsAtTheCap) {
  const Kva first = sched_.AddProcess({.pid = 1});
  const Kva second = sched_.AddProcess({.pid = 2});
  sched_.AddProcess({.pid = 3});
  damage_ = [&] { builder_.Put(sched_.TasksNode(second), sched_.TasksNode(first)); };
  EXPECT_EQ(Find(2), second);
  const OpError error = FindError(3);
  EXPECT_EQ(error.code, OpErrorCode::kTaskWalkCap);
  EXPECT_THAT(error.text, HasSubstr("65536"));
}

TEST_F(TaskLookupTest, ACycleOfThreadsEndsAtTheCap) {
  const Kva leader = sched_.AddProcess({.pid = 1});
  const Kva thread = sched_.AddThread(leader, {.pid = 2});
  sched_.AddProcess({.pid = 3});
  damage_ = [&] { builder_.Put(sched_.ThreadNode(thread), sched_.ThreadNode(thread)); };
  EXPECT_EQ(Find(2), thread);
  EXPECT_EQ(FindError(3).code, OpErrorCode::kTaskWalkCap);
}

TEST_F(TaskLookupTest, ALeaderThatIsItsOwnNeighbourEndsAtTheCapToo) {
  const Kva leader = sched_.AddProcess({.pid = 1});
  damage_ = [&] { builder_.Put(sched_.ThreadNode(leader), sched_.ThreadNode(leader)); };
  EXPECT_EQ(FindError(3).code, OpErrorCode::kTaskWalkCap);
}

TEST_F(TaskLookupTest, ALeaderThatIsNotMappedEndsTheSearch) {
  const Kva first = sched_.AddProcess({.pid = 1});
  sched_.AddProcess({.pid = 2});
  damage_ = [&] { builder_.Put(sched_.TasksNode(first), Kva(0xffffe00000000000)); };
  EXPECT_EQ(Find(1), first);
  const OpError error = FindError(2);
  EXPECT_EQ(error.code, OpErrorCode::kTaskUnmapped);
  EXPECT_THAT(error.text, HasSubstr("node 2 of the search"));
}

TEST_F(TaskLookupTest, ALeaderWhoseMemoryWasNotCapturedEndsTheSearchWithTheReason) {
  sched_.AddProcess({.pid = 1});
  const Kva second = sched_.AddProcess({.pid = 2, .in_vmalloc = true});
  sched_.AddProcess({.pid = 3});
  const Pa pa = builder_.PaOf(second);
  Guest().memory().LeaveOut(Pfn::Of(pa), LeftOutReason::kUserData);
  EXPECT_TRUE(Find(1));
  const OpError error = FindError(3);
  EXPECT_EQ(error.code, OpErrorCode::kTaskUnmapped);
  EXPECT_THAT(error.text, HasSubstr("user data"));
}

TEST_F(TaskLookupTest, AThreadThatCannotBeReadHidesNoOtherProcess) {
  const Kva leader = sched_.AddProcess({.pid = 1});
  const Kva thread = sched_.AddThread(leader, {.pid = 2, .in_vmalloc = true});
  const Kva other = sched_.AddProcess({.pid = 3});
  const Pa pa = builder_.PaOf(thread);
  Guest().memory().LeaveOut(Pfn::Of(pa), LeftOutReason::kUserData);
  EXPECT_EQ(Find(3), other);
  const OpError error = FindError(2);
  EXPECT_EQ(error.code, OpErrorCode::kTaskNotFound);
  EXPECT_THAT(error.text, HasSubstr("could not be read"));
}

TEST_F(TaskLookupTest, ABrokenThreadListHidesNoOtherProcess) {
  const Kva leader = sched_.AddProcess({.pid = 1});
  const Kva thread = sched_.AddThread(leader, {.pid = 2});
  sched_.AddThread(leader, {.pid = 3});
  const Kva other = sched_.AddProcess({.pid = 4});
  damage_ = [&] { builder_.Put<uint64_t>(sched_.ThreadNode(thread), 0); };
  EXPECT_EQ(Find(2), thread);
  EXPECT_EQ(Find(4), other);
  EXPECT_EQ(FindError(3).code, OpErrorCode::kTaskNotFound);
}

TEST_F(TaskLookupTest, AProcessWithoutSignalsHasNoOtherThreads) {
  const Kva leader = sched_.AddProcess({.pid = 1});
  const Kva other = sched_.AddProcess({.pid = 2});
  damage_ = [&] { builder_.Set("task_struct", leader, "signal", 0); };
  EXPECT_EQ(Find(2), other);
}

// Leaders and threads up to the cap, in memory of their own size.
class TaskCapTest : public ::testing::TestWithParam<bool> {};

TEST_P(TaskCapTest, LeadersAndThreadsShareOneCapOf65536) {
  const bool threads = GetParam();
  KernelOptions options;
  options.memory_bytes = uint64_t{128} << 20;
  KernelBuilder builder(options);
  SchedBuilder sched(builder);
  constexpr uint32_t kTasks = 65'537;
  Kva leader, last_within, beyond;
  for (uint32_t pid = 1; pid <= kTasks; ++pid) {
    // Half of them leaders, half of them threads; or leaders only.
    const bool is_leader = !threads || pid % 2 == 1;
    const Kva task =
        is_leader ? sched.AddProcess({.pid = pid}) : sched.AddThread(leader, {.pid = pid});
    if (is_leader) leader = task;
    (pid == kTasks ? beyond : last_within) = task;
  }
  sched.Finish();
  OpsGuest guest(builder);
  const auto layout = TaskListLayout::Of(guest.kernel());
  ASSERT_TRUE(layout);
  EXPECT_EQ(FindTask(guest.kernel(), *layout, kTasks - 1), last_within);
  const auto found = FindTask(guest.kernel(), *layout, kTasks);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, OpErrorCode::kTaskWalkCap);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TaskCapTest, ::testing::Bool(), [](const auto& with_threads) {
  return with_threads.param ? "LeadersAndThreads" : "Leaders";
});

}  // namespace
}  // namespace ktstr
