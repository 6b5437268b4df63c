#include "libcore/walk/sched/dsq.h"

#include "fixtures/synthetic/container_builder.h"
#include "scx_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

DsqState DsqsOf(ScxGuest& guest, const WalkLimits& limits = {}) {
  auto state = WalkDsqs(guest.Open(), limits);
  if (state) return *std::move(state);
  ADD_FAILURE() << state.error().ToString();
  return {};
}

// The pids on a queue's list, in order.
std::vector<int64_t> Listed(const DsqState& state, Kva dsq) {
  std::map<int64_t, int64_t> by_position;
  for (const DsqTaskRow& row : state.tasks) {
    if (row.dsq_kva == Hex(dsq) && row.position) by_position[*row.position] = row.pid.value_or(-1);
  }
  std::vector<int64_t> pids;
  for (const auto& [position, pid] : by_position) pids.push_back(pid);
  return pids;
}

std::vector<int64_t> ByVtime(const DsqState& state, Kva dsq) {
  std::map<int64_t, int64_t> by_position;
  for (const DsqTaskRow& row : state.tasks) {
    if (row.dsq_kva == Hex(dsq) && row.vtime_position) {
      by_position[*row.vtime_position] = row.pid.value_or(-1);
    }
  }
  std::vector<int64_t> pids;
  for (const auto& [position, pid] : by_position) pids.push_back(pid);
  return pids;
}

const DsqRow& RowOf(const DsqState& state, Kva dsq) {
  return *std::find_if(state.dsqs.begin(), state.dsqs.end(),
                       [&](const DsqRow& row) { return row.dsq_kva == Hex(dsq); });
}

size_t CountKind(const DsqState& state, std::string_view kind) {
  return static_cast<size_t>(std::count_if(state.dsqs.begin(), state.dsqs.end(),
                                           [&](const DsqRow& row) { return row.kind == kind; }));
}

class DsqTest : public ::testing::TestWithParam<ScxLayout> {
 protected:
  ScxGuest guest_{GetParam(), /*nodes=*/2};
  Kva scheduler_ = guest_.scx.AddScheduler({.name = "s"});
};

TEST_P(DsqTest, EveryKindOfQueueIsThere) {
  guest_.scx.AddDsq(scheduler_, 7);
  guest_.scx.AddDsq(scheduler_, 8);
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  EXPECT_EQ(CountKind(state, "local"), 2u);
  EXPECT_EQ(CountKind(state, "global"), 2u);
  EXPECT_EQ(CountKind(state, "user"), 2u);
  EXPECT_EQ(CountKind(state, "bypass"), GetParam() < ScxLayout::kSchedPcpu ? 0u : 2u);
  EXPECT_THAT(state.tasks, IsEmpty());
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(DsqTest, TasksStandInTheOrderOfTheirArrival) {
  const Kva dsq = guest_.scx.AddDsq(scheduler_, 0x1234);
  for (const uint32_t pid : {5, 3, 9}) guest_.scx.Dispatch(dsq, guest_.NewTask(pid));
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsq), ElementsAre(5, 3, 9));
  EXPECT_THAT(ByVtime(state, dsq), IsEmpty());
  const DsqRow& row = RowOf(state, dsq);
  EXPECT_EQ(row.kind, "user");
  EXPECT_EQ(row.dsq_id, Hex(0x1234));
  EXPECT_EQ(row.scheduler, 0);
  EXPECT_EQ(row.nr, 3);
  EXPECT_EQ(row.listed, 3);
  EXPECT_EQ(row.by_vtime, 0);
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(DsqTest, TasksInVtimeOrderHaveBothPlaces) {
  const Kva dsq = guest_.scx.AddDsq(scheduler_, 1);
  const std::pair<uint32_t, uint64_t> tasks[] = {{1, 300}, {2, 100}, {3, 200}};
  for (const auto& [pid, vtime] : tasks) {
    guest_.scx.DispatchByVtime(dsq, guest_.NewTask(pid), vtime);
  }
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsq), ElementsAre(1, 2, 3));
  EXPECT_THAT(ByVtime(state, dsq), ElementsAre(2, 3, 1));
  EXPECT_EQ(state.tasks.at(0).vtime, Hex(300));
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(DsqTest, GlobalQueuesTellTheirNodes) {
  guest_.scx.Dispatch(guest_.scx.GlobalDsq(scheduler_, 1), guest_.NewTask(4));
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, guest_.scx.GlobalDsq(scheduler_, 1)), ElementsAre(4));
  EXPECT_EQ(RowOf(state, guest_.scx.GlobalDsq(scheduler_, 1)).node, 1);
  EXPECT_EQ(state.tasks.at(0).node, 1);
}

TEST_P(DsqTest, LocalQueuesTellTheirCpus) {
  guest_.sched.queues().AddLocal(1, guest_.NewTask(6));
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  ASSERT_THAT(state.tasks, SizeIs(1));
  EXPECT_EQ(state.tasks[0].pid, 6);
  EXPECT_EQ(state.tasks[0].cpu, 1);
  EXPECT_EQ(RowOf(state, Kva(state.tasks[0].dsq_kva->value)).kind, "local");
}

TEST_P(DsqTest, PlacesOfIteratorsAreNoTasks) {
  const Kva dsq = guest_.scx.AddDsq(scheduler_, 1);
  guest_.scx.AddCursor(dsq);
  guest_.scx.Dispatch(dsq, guest_.NewTask(1));
  guest_.scx.AddCursor(dsq);
  guest_.scx.Dispatch(dsq, guest_.NewTask(2));
  guest_.Finish();
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsq), ElementsAre(1, 2));
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

INSTANTIATE_TEST_SUITE_P(Layouts, DsqTest, ::testing::ValuesIn(kAllLayouts),
                         [](const auto& info) { return NameOf(info.param); });

TEST(BypassDsqTest, QueuesOfBypassModeTellTheirCpus) {
  for (const ScxLayout layout :
       {ScxLayout::kSchedPcpu, ScxLayout::kSubSchedulers, ScxLayout::kCids, ScxLayout::kCaps}) {
    ScxGuest guest(layout);
    const Kva scheduler = guest.scx.AddScheduler({.name = "s"});
    const Kva dsq = guest.scx.BypassDsq(scheduler, 1);
    guest.scx.Dispatch(dsq, guest.NewTask(3));
    guest.Finish();
    const DsqState state = DsqsOf(guest);
    EXPECT_THAT(Listed(state, dsq), ElementsAre(3)) << NameOf(layout);
    EXPECT_EQ(RowOf(state, dsq).kind, "bypass");
    EXPECT_EQ(RowOf(state, dsq).cpu, 1);
  }
}

TEST(SubSchedulerDsqTest, QueuesOfTheSameIdTellWhoseTheyAre) {
  for (const ScxLayout layout : kSubLayouts) {
    ScxGuest guest(layout);
    const Kva root = guest.scx.AddScheduler({.name = "root"});
    const Kva below = guest.scx.AddScheduler({.name = "below", .cgroup = "/a"}, root);
    const Kva of_root = guest.scx.AddDsq(root, 7), of_below = guest.scx.AddDsq(below, 7);
    guest.scx.Dispatch(of_root, guest.NewTask(3));
    guest.scx.Dispatch(of_below, guest.NewTask(4));
    guest.Finish();
    const DsqState state = DsqsOf(guest);
    EXPECT_EQ(RowOf(state, of_root).scheduler, 0);
    EXPECT_EQ(RowOf(state, of_below).scheduler, 1);
    std::map<int64_t, std::optional<int64_t>> schedulers;
    for (const DsqTaskRow& row : state.tasks) schedulers[*row.pid] = row.scheduler;
    EXPECT_EQ(schedulers, (std::map<int64_t, std::optional<int64_t>>{{3, 0}, {4, 1}}));
    EXPECT_THAT(state.anomalies, NoAnomalies());
  }
}

TEST(SubSchedulerDsqTest, QueuesForWhatASubSchedulerMayNotRunTellTheirCpus) {
  ScxGuest guest(ScxLayout::kCaps);
  guest.scx.AddScheduler({.name = "root"});
  const Kva reject = guest.scx.DsqOfCpu(1, "reject_dsq"),
            rescue = guest.scx.DsqOfCpu(0, "rescue.dsq");
  guest.scx.Dispatch(reject, guest.NewTask(3));
  guest.scx.Dispatch(rescue, guest.NewTask(4));
  guest.Finish();
  const DsqState state = DsqsOf(guest);
  EXPECT_EQ(CountKind(state, "reject"), 2u);
  EXPECT_EQ(CountKind(state, "rescue"), 2u);
  EXPECT_THAT(Listed(state, reject), ElementsAre(3));
  EXPECT_THAT(Listed(state, rescue), ElementsAre(4));
  EXPECT_EQ(RowOf(state, reject).kind, "reject");
  EXPECT_EQ(RowOf(state, reject).cpu, 1);
  EXPECT_EQ(RowOf(state, reject).dsq_id, Hex(0x8000000000000004));
  EXPECT_EQ(RowOf(state, rescue).kind, "rescue");
  EXPECT_EQ(RowOf(state, rescue).scheduler, std::nullopt);
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

// Queues 0 to 5 (0 and 4 in one bucket); in 0 tasks 1 to 7 in vtime order, in 1 tasks 8 and 9.
class DamagedDsqTest : public ::testing::Test {
 protected:
  DamagedDsqTest() {
    const Kva scheduler = guest_.scx.AddScheduler({.name = "s"});
    for (uint64_t id = 0; id < 6; ++id) dsqs_.push_back(guest_.scx.AddDsq(scheduler, id));
    for (uint32_t pid = 1; pid <= 9; ++pid) tasks_.push_back(guest_.NewTask(pid));
    for (size_t i = 0; i < 7; ++i) guest_.scx.DispatchByVtime(dsqs_[0], tasks_[i], 100 + i);
    guest_.scx.Dispatch(dsqs_[1], tasks_[7]);
    guest_.scx.Dispatch(dsqs_[1], tasks_[8]);
    guest_.Finish();
    buckets_ = BucketsOf(guest_.builder(), guest_.scx.dsq_table(scheduler));
  }
  Kva ListNode(size_t pid) { return guest_.MemberAt(tasks_[pid - 1], "scx.dsq_list.node"); }
  Kva TreeNode(size_t pid) { return guest_.MemberAt(tasks_[pid - 1], "scx.dsq_priq"); }
  Kva HashNode(size_t dsq) {
    return dsqs_[dsq] + guest_.builder().MemberOf("scx_dispatch_q", "hash_next").offset;
  }
  std::vector<uint64_t> UserDsqs(const DsqState& state) const {
    std::vector<uint64_t> ids;
    for (const DsqRow& row : state.dsqs) {
      if (row.kind == "user") ids.push_back(row.dsq_id ? row.dsq_id->value : 999);
    }
    return ids;
  }
  void ExpectTheOtherQueue(const DsqState& state) const {
    EXPECT_THAT(Listed(state, dsqs_[1]), ElementsAre(8, 9));
  }

  ScxGuest guest_{ScxLayout::kStatic};
  std::vector<Kva> dsqs_, tasks_;
  Kva buckets_;
};

TEST_F(DamagedDsqTest, ACycleInTheListCostsNothing) {
  guest_.builder().Put(ListNode(5), ListNode(2));
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("cycle", ListNode(2)));
  ExpectTheOtherQueue(state);
}

TEST_F(DamagedDsqTest, AWildPointerInTheListCostsNothing) {
  guest_.builder().Put(ListNode(5), guest_.Wild());
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(DamagedDsqTest, AnUnmappedNodeInTheListCostsNothing) {
  const Kva unmapped = guest_.Unmapped();
  guest_.builder().Put(ListNode(5), unmapped);
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", unmapped));
}

TEST_F(DamagedDsqTest, ATaskThatWasLeftOutCostsOnlyItselfOnTheList) {
  guest_.LeaveOut(ListNode(3));
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("unreadable", ListNode(3)));
  EXPECT_THAT(state.anomalies, HasAnomaly("count", dsqs_[0]));
  ExpectTheOtherQueue(state);
}

TEST_F(DamagedDsqTest, TheCapEndsEachListByItself) {
  const DsqState state = DsqsOf(guest_, {.max_nodes = 6});
  EXPECT_THAT(Listed(state, dsqs_[0]), SizeIs(6));
  EXPECT_THAT(state.anomalies, HasAnomaly("cap", ListNode(7)));
  ExpectTheOtherQueue(state);
}

TEST_F(DamagedDsqTest, ATaskThatOnlyTheTreeHasIsARowWithoutAPlaceOnTheList) {
  // Out of the list, as __list_del leaves it.
  guest_.builder().Put(ListNode(3), ListNode(5));
  guest_.builder().Put(ListNode(5) + 8, ListNode(3));
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 3, 5, 6, 7));
  EXPECT_THAT(ByVtime(state, dsqs_[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("damage", tasks_[3]));
}

TEST_F(DamagedDsqTest, ADamagedTreeCostsNoPlaceOnTheList) {
  guest_.builder().Set("rb_node", TreeNode(2), "rb_left", TreeNode(4).value());
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(Listed(state, dsqs_[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(ByVtime(state, dsqs_[0]), ElementsAre(2, 3, 4, 5, 6, 7));
  EXPECT_THAT(state.anomalies, HasAnomaly("cycle", TreeNode(4)));
}

TEST_F(DamagedDsqTest, ACycleInTheHashCostsNoQueue) {
  guest_.builder().Put(HashNode(4), HashNode(0));
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(UserDsqs(state), UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(state.anomalies, HasAnomaly("cycle", HashNode(0)));
}

TEST_F(DamagedDsqTest, AWildPointerInTheHashCostsOnlyItsBucket) {
  guest_.builder().Put(buckets_, guest_.Wild());
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(UserDsqs(state), UnorderedElementsAre(1, 2, 3, 5));
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", guest_.Wild()));
  ExpectTheOtherQueue(state);
}

TEST_F(DamagedDsqTest, AnUnmappedQueueCostsOnlyTheRestOfItsBucket) {
  const Kva unmapped = guest_.Unmapped();
  guest_.builder().Put(HashNode(0), unmapped);
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(UserDsqs(state), UnorderedElementsAre(0, 1, 2, 3, 5));
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", unmapped));
}

TEST_F(DamagedDsqTest, AQueueThatWasLeftOutCostsOnlyItsBucket) {
  guest_.LeaveOut(dsqs_[0]);
  const DsqState state = DsqsOf(guest_);
  EXPECT_THAT(UserDsqs(state), UnorderedElementsAre(1, 2, 3, 5));
  EXPECT_THAT(state.anomalies, HasAnomaly("unreadable", HashNode(0)));
  ExpectTheOtherQueue(state);
}

TEST_F(DamagedDsqTest, TheCapEndsTheHashAndSaysSo) {
  const DsqState state = DsqsOf(guest_, {.max_nodes = 5});
  EXPECT_THAT(UserDsqs(state), SizeIs(5));
  EXPECT_EQ(std::count_if(state.anomalies.begin(), state.anomalies.end(),
                          [](const AnomalyRow& row) {
                            return row.kind == "cap" && row.detail.starts_with("dsq_hash");
                          }),
            1);
}

}  // namespace
}  // namespace ktstr
