// The kernel's containers other than lists, whole and damaged.
#include "fixtures/synthetic/container_builder.h"
#include "libcore/walk/container/chain.h"
#include "libcore/walk/container/rhashtable.h"
#include "libcore/walk/container/xarray.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

class ContainerTest : public ::testing::Test {
 protected:
  // Objects that share no page.
  std::vector<Kva> NewObjects(size_t count) {
    std::vector<Kva> objects;
    for (size_t i = 0; i < count; ++i) objects.push_back(b().Allocate(64, kPageSize));
    return objects;
  }
  synthetic::KernelBuilder& b() { return guest_.builder(); }

  WalkGuest guest_;
  Anomalies anomalies_{"test"};
};

std::vector<Kva> AllBut(const std::vector<Kva>& all, const std::vector<size_t>& missing) {
  std::vector<Kva> rest;
  for (size_t i = 0; i < all.size(); ++i) {
    if (std::find(missing.begin(), missing.end(), i) == missing.end()) rest.push_back(all[i]);
  }
  return rest;
}

class ChainTest : public ContainerTest {
 protected:
  ChainTest() : nodes_(NewObjects(40)) { LinkChain(b(), nodes_, 0); }
  std::vector<Kva> Walk(const WalkLimits& limits = {}) {
    return WalkChain(guest_.Begin(anomalies_, limits), nodes_[0], "the chain");
  }
  std::vector<Kva> FirstNodes(size_t count) const {
    return {nodes_.begin(), nodes_.begin() + static_cast<ptrdiff_t>(count)};
  }

  std::vector<Kva> nodes_;
};

TEST_F(ChainTest, AllNodesInOrder) {
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

// Each of a thousand chains may lead to the same million nodes.
TEST_F(ChainTest, AllChainsOfAWalkTogetherHaveALimit) {
  const ktstr::Walk walk = guest_.Begin(anomalies_, {.max_all_nodes = 50});
  EXPECT_THAT(WalkChain(walk, nodes_[0], "one"), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
  EXPECT_THAT(WalkChain(walk, nodes_[0], "another"), ElementsAreArray(FirstNodes(10)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cap", nodes_[10]));
  // Wherever its anomalies go.
  EXPECT_THAT(WalkChain(walk.Within({}), nodes_[0], "a third"), IsEmpty());
}

TEST(AnomaliesTest, OfVeryManyTheFirstAreKeptAndTheRestCounted) {
  Anomalies anomalies("test");
  for (size_t i = 0; i < Anomalies::kMostRows + 5; ++i) anomalies.Add("damage", std::nullopt, "x");
  ASSERT_EQ(anomalies.rows().size(), Anomalies::kMostRows + 1);
  EXPECT_EQ(anomalies.rows()[Anomalies::kMostRows - 1].kind, "damage");
  EXPECT_EQ(anomalies.rows().back().kind, "cap");
  EXPECT_EQ(anomalies.rows().back().detail, "5 more anomalies are left out");
}

TEST_F(ChainTest, ANullsMarkEndsIt) {
  b().Put<uint64_t>(nodes_[7], 0x1235);
  EXPECT_THAT(Walk(), ElementsAreArray(FirstNodes(8)));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(ChainTest, ACycleEndsWhereItCloses) {
  b().Put(nodes_[39], nodes_[5]);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cycle", nodes_[5]));
}

TEST_F(ChainTest, AShortCycleEndsToo) {
  b().Put(nodes_[3], nodes_[3]);
  EXPECT_THAT(Walk(), ElementsAreArray(FirstNodes(4)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cycle", nodes_[3]));
}

TEST_F(ChainTest, AWildPointerEndsIt) {
  b().Put(nodes_[20], guest_.Wild());
  EXPECT_THAT(Walk(), ElementsAreArray(FirstNodes(21)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(ChainTest, AnUnmappedNodeEndsIt) {
  const Kva unmapped = guest_.Unmapped();
  b().Put(nodes_[20], unmapped);
  EXPECT_THAT(Walk(), ElementsAreArray(FirstNodes(21)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", unmapped));
}

TEST_F(ChainTest, ANodeInAPageThatWasLeftOutEndsIt) {
  guest_.LeaveOut(nodes_[20]);
  EXPECT_THAT(Walk(), ElementsAreArray(FirstNodes(20)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unreadable", nodes_[20]));
}

TEST_F(ChainTest, TheCapEndsItAndSaysSo) {
  EXPECT_THAT(Walk({.max_nodes = 12}), ElementsAreArray(FirstNodes(12)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cap", nodes_[12]));
}

TEST_F(ChainTest, AWalkThatShallStopDoesAndSaysSo) {
  const std::atomic<bool> asked = true;
  const Stop stop(&asked, std::nullopt);
  EXPECT_THAT(Walk({.stop = &stop}), SizeIs(0));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("stopped", nodes_[0]));
}

// Objects 0 and 5000 and some between, so that there are three levels of nodes.
class XarrayTest : public ContainerTest {
 protected:
  explicit XarrayTest(uint32_t slots_of_types = 64) {
    DefineXarrayTypes(b().types(), slots_of_types);
    array_ = b().Data("the_array", b().SizeOf("xarray"));
    for (const uint64_t index : {0, 1, 63, 64, 70, 4095, 4096, 5000}) {
      entries_[index] = b().Allocate(64);
    }
    nodes_ = FillXarray(b(), array_, entries_);
  }

  std::vector<uint64_t> Walk(const WalkLimits& limits = {}) {
    std::vector<uint64_t> indices;
    for (const XarrayEntry& entry :
         WalkXarray(guest_.Begin(anomalies_, limits), array_, "the array")) {
      EXPECT_EQ(entry.entry, entries_[entry.index]);
      indices.push_back(entry.index);
    }
    return indices;
  }
  Kva Slot(Kva node, uint64_t slot) {
    return node + b().MemberOf("xa_node", "slots").offset + slot * 8;
  }

  Kva array_;
  std::map<uint64_t, Kva> entries_;
  // The top; below it that of 0 to 4095 with its three leaves, and that of 4096 on with two.
  std::vector<Kva> nodes_;
};

TEST_F(XarrayTest, AllEntriesInOrderOfTheirIndex) {
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 64, 70, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

// 2 GiB, were they believed.
class XarrayOfManySlotsTest : public XarrayTest {
 protected:
  XarrayOfManySlotsTest() : XarrayTest(1 << 28) {}
};

TEST_F(XarrayOfManySlotsTest, OfANodeNoMoreSlotsAreReadThanAnyKernelHas) {
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 64, 70, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(XarrayTest, ASingleEntryNeedsNoNode) {
  const Kva single = b().Data("single", b().SizeOf("xarray"));
  b().Set("xarray", single, "xa_head", entries_[0].value());
  array_ = single;
  EXPECT_THAT(Walk(), ElementsAre(0));
}

TEST_F(XarrayTest, AnArrayOfNothingHasNone) {
  array_ = b().Data("empty", b().SizeOf("xarray"));
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(XarrayTest, MarksOfTheKernelsOwnAreNoEntries) {
  constexpr uint64_t kRetry = 256 << 2 | 2, kZero = 257 << 2 | 2, kSibling = 1 << 2 | 2;
  b().Put<uint64_t>(Slot(nodes_[2], 5), kRetry);
  b().Put<uint64_t>(Slot(nodes_[2], 6), kZero);
  b().Put<uint64_t>(Slot(nodes_[2], 7), kSibling);
  EXPECT_THAT(Walk(), SizeIs(8));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(XarrayTest, ANodeThatLeadsBackToTheTopCostsOnlyItsOwn) {
  b().Put(Slot(nodes_[1], 1), nodes_[0] + 2);
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", nodes_[0]));
}

TEST_F(XarrayTest, ANodeBelowALeafIsDamageNotNothing) {
  b().Put(Slot(nodes_[2], 1), nodes_[3] + 2);
  EXPECT_THAT(Walk(), ElementsAre(0, 63, 64, 70, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", nodes_[3]));
}

TEST_F(XarrayTest, AWildPointerCostsOnlyWhatHungThere) {
  b().Put(Slot(nodes_[1], 1), guest_.Wild() + 2);
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(XarrayTest, ReadableMemoryThatIsNoNodeIsNotTakenForOne) {
  const Kva something = b().Allocate(kPageSize, kPageSize);
  for (uint64_t at = 0; at < kPageSize; at += 8) b().Put<uint64_t>(something + at, 0x4141414100);
  b().Put(Slot(nodes_[1], 1), something + 2);
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", something));
}

TEST_F(XarrayTest, AnUnmappedNodeCostsOnlyItsEntries) {
  const Kva unmapped = guest_.Unmapped();
  b().Put(Slot(nodes_[0], 0), unmapped + 2);
  EXPECT_THAT(Walk(), ElementsAre(4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", unmapped));
}

TEST_F(XarrayTest, ANodeInAPageThatWasLeftOutCostsOnlyItsEntries) {
  guest_.LeaveOut(nodes_[3]);
  EXPECT_THAT(Walk(), ElementsAre(0, 1, 63, 4095, 4096, 5000));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unreadable", nodes_[3]));
}

TEST_F(XarrayTest, TheCapEndsTheWalkAndSaysSo) {
  EXPECT_THAT(Walk({.max_nodes = 4}), ElementsAre(0, 1, 63, 64));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cap", entries_[70]));
}

TEST_F(XarrayTest, AWalkThatShallStopDoesAndSaysSo) {
  const std::atomic<bool> asked = true;
  const Stop stop(&asked, std::nullopt);
  EXPECT_THAT(Walk({.stop = &stop}), SizeIs(0));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("stopped", nodes_[0]));
}

TEST_F(XarrayTest, AsManyEntriesAsTheCapAreNotOneTooMany) {
  EXPECT_THAT(Walk({.max_nodes = 8}), SizeIs(8));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(XarrayTest, IdsOfAnIdrCountFromItsBase) {
  const Kva idr = b().Data("the_idr", b().SizeOf("idr"));
  b().Set("idr", idr, "idr_base", 1);
  FillXarray(b(), idr + b().MemberOf("idr", "idr_rt").offset, entries_);
  std::vector<uint64_t> ids;
  for (const XarrayEntry& e : WalkIdr(guest_.Begin(anomalies_), idr, "the idr")) {
    ids.push_back(e.index);
  }
  EXPECT_THAT(ids, ElementsAre(1, 2, 64, 65, 71, 4096, 4097, 5001));
}

// Sixteen objects in eight buckets; their hash node is at 24.
class RhashtableTest : public ContainerTest {
 protected:
  static constexpr uint64_t kNode = 24;

  RhashtableTest() : objects_(NewObjects(16)) {
    DefineRhashtableTypes(b().types());
    table_ = b().Data("the_table", b().SizeOf("rhashtable"));
  }
  // Objects 2n and 2n + 1 in bucket n.
  std::vector<std::vector<Kva>> InPairs() const {
    std::vector<std::vector<Kva>> buckets(8);
    for (size_t i = 0; i < objects_.size(); ++i) buckets[i / 2].push_back(objects_[i] + kNode);
    return buckets;
  }
  void Fill() {
    buckets_ = NewBucketTable(b(), InPairs());
    SetRhashtable(b(), table_, buckets_, kNode);
  }
  std::vector<Kva> Walk(const WalkLimits& limits = {}) {
    return WalkRhashtable(guest_.Begin(anomalies_, limits), table_, "the table");
  }

  Kva table_, buckets_;
  std::vector<Kva> objects_;
};

TEST_F(RhashtableTest, AllObjectsByBucket) {
  Fill();
  EXPECT_THAT(Walk(), ElementsAreArray(objects_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RhashtableTest, ATableThatWasNeverSetUpHasNone) {
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RhashtableTest, ALockedBucketIsReadAllTheSame) {
  Fill();
  b().Put(BucketsOf(b(), buckets_) + 3 * 8, objects_[6] + kNode + 1);
  EXPECT_THAT(Walk(), ElementsAreArray(objects_));
}

TEST_F(RhashtableTest, WhileItIsResizedObjectsOfBothTablesEachOnce) {
  // Buckets 0 to 3 have moved; of bucket 4 the last object is in both tables at this moment.
  std::vector<std::vector<Kva>> old_buckets(8), new_buckets(16);
  for (size_t i = 0; i < 16; ++i) {
    (i < 8 ? new_buckets[i] : old_buckets[i / 2]).push_back(objects_[i] + kNode);
  }
  const Kva new_table = NewBucketTable(b(), new_buckets);
  buckets_ = NewBucketTable(b(), old_buckets);
  SetRhashtable(b(), table_, buckets_, kNode, new_table);
  b().Put(BucketsOf(b(), new_table) + 9 * 8, objects_[9] + kNode);
  EXPECT_THAT(Walk(), UnorderedElementsAreArray(objects_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RhashtableTest, ATableOfPagesOfBuckets) {
  SetRhashtable(b(), table_, NewNestedBucketTable(b(), InPairs(), /*nest=*/1), kNode);
  EXPECT_THAT(Walk(), UnorderedElementsAreArray(objects_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RhashtableTest, AChainThatLeadsBackCostsNothing) {
  Fill();
  b().Put(objects_[7] + kNode, objects_[6] + kNode);
  EXPECT_THAT(Walk(), ElementsAreArray(objects_));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cycle", objects_[6] + kNode));
}

TEST_F(RhashtableTest, TablesThatLeadToEachOtherEnd) {
  Fill();
  b().Set("bucket_table", buckets_, "future_tbl", buckets_.value());
  EXPECT_THAT(Walk(), ElementsAreArray(objects_));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cycle", buckets_));
}

TEST_F(RhashtableTest, AWildPointerCostsOnlyItsBucket) {
  Fill();
  b().Put(BucketsOf(b(), buckets_) + 3 * 8, guest_.Wild());
  EXPECT_THAT(Walk(), ElementsAreArray(AllBut(objects_, {6, 7})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(RhashtableTest, AnUnmappedObjectCostsOnlyTheRestOfItsBucket) {
  Fill();
  const Kva unmapped = guest_.Unmapped();
  b().Put(objects_[6] + kNode, unmapped);
  EXPECT_THAT(Walk(), ElementsAreArray(AllBut(objects_, {7})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", unmapped));
}

TEST_F(RhashtableTest, AnObjectInAPageThatWasLeftOutCostsOnlyItsBucket) {
  Fill();
  guest_.LeaveOut(objects_[6]);
  EXPECT_THAT(Walk(), ElementsAreArray(AllBut(objects_, {6, 7})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unreadable", objects_[6] + kNode));
}

TEST_F(RhashtableTest, ATableOfASizeThatCannotBeIsDamage) {
  Fill();
  b().Set("bucket_table", buckets_, "size", 0x7fffffff);
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", buckets_));
}

TEST_F(RhashtableTest, ANestThatCannotBeIsDamage) {
  Fill();
  b().Set("bucket_table", buckets_, "nest", 70);
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", buckets_));
}

TEST_F(RhashtableTest, TheCapEndsTheWalkAndSaysSo) {
  Fill();
  EXPECT_THAT(Walk({.max_nodes = 4}),
              ElementsAreArray(std::vector<Kva>(objects_.begin(), objects_.begin() + 4)));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cap", objects_[4] + kNode));
}

TEST_F(RhashtableTest, AsManyObjectsAsTheCapAreNotOneTooMany) {
  Fill();
  EXPECT_THAT(Walk({.max_nodes = 16}), SizeIs(16));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

}  // namespace
}  // namespace ktstr
