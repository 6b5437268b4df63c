#include "libcore/walk/container/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/kernel_builder.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using ::testing::ElementsAreArray;

// A list of ten nodes, each in a page of its own, that a test can damage.
class ListTest : public ::testing::Test {
 protected:
  ListTest() {
    head_ = builder_.Data("head", 16);
    for (int i = 0; i < 10; ++i) nodes_.push_back(builder_.Allocate(16, kPageSize));
    builder_.LinkList(head_, nodes_);
  }

  std::vector<Kva> Walk(const WalkLimits& limits = {}) {
    if (kernel_ == nullptr) {
      guest_ = builder_.Finish();
      for (const Kva kva : left_out_) {
        guest_.memory->LeaveOut(Pfn::Of(Pa(kva - builder_.options().page_offset)),
                                LeftOutReason::kFree);
      }
      kernel_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
    }
    return WalkList({*kernel_, *kernel_->types().value(), anomalies_, limits}, head_, "the list");
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const AnomalyRow& row : anomalies_.rows()) kinds.push_back(row.kind);
    return kinds;
  }
  std::vector<Kva> AllBut(std::initializer_list<size_t> missing) const {
    std::vector<Kva> rest;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (std::find(missing.begin(), missing.end(), i) == missing.end()) rest.push_back(nodes_[i]);
    }
    return rest;
  }

  KernelBuilder builder_;
  Kva head_;
  std::vector<Kva> nodes_;
  std::vector<Kva> left_out_;
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
  Anomalies anomalies_{"test"};
};

TEST_F(ListTest, AllNodesInOrder) {
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_TRUE(Kinds().empty());
}

TEST_F(ListTest, AWalkEndsAtItsTimeAndSaysSo) {
  const Stop stop(nullptr, Stop::Clock::time_point::min());
  EXPECT_THAT(Walk({.stop = &stop}), testing::IsEmpty());
  EXPECT_THAT(Kinds(), testing::ElementsAre("stopped"));
}

TEST_F(ListTest, AnEmptyListHasNone) {
  builder_.LinkList(head_, {});
  EXPECT_TRUE(Walk().empty());
  EXPECT_TRUE(Kinds().empty());
}

TEST_F(ListTest, ANodeInAPageThatWasLeftOutCostsOnlyItself) {
  left_out_.push_back(nodes_[4]);
  EXPECT_THAT(Walk(), ElementsAreArray(AllBut({4})));
  EXPECT_THAT(Kinds(), ::testing::Contains("unreadable"));
}

TEST_F(ListTest, AWildPointerCostsNothingBeyondIt) {
  builder_.Put(nodes_[4], Kva(0xdead000000000100));
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(Kinds(), ::testing::Contains("unmapped"));
}

TEST_F(ListTest, APointerToReadableMemoryThatIsNoNodeIsNotTakenForOne) {
  const Kva text = builder_.Data("something_else", 64);
  builder_.Put(nodes_[4], text);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(Kinds(), ::testing::Contains("damage"));
}

TEST_F(ListTest, ACycleThatMissesTheHeadEndsAndTheRestIsStillFound) {
  builder_.Put(nodes_[6], nodes_[2]);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_FALSE(Kinds().empty());
}

TEST_F(ListTest, ACycleThatIsConsistentInBothDirectionsEnds) {
  builder_.Put(nodes_[6], nodes_[2]);
  builder_.Put(nodes_[2] + 8, nodes_[6]);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(Kinds(), ::testing::Contains("cycle"));
}

TEST_F(ListTest, TwoDamagedNodesCostNotWhatLiesBetweenThem) {
  builder_.Put(nodes_[3] + 8, Kva(0xdead000000000122));
  builder_.Put(nodes_[7], Kva(0xdead000000000100));
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
}

TEST_F(ListTest, TheCapEndsTheWalkAndSaysSo) {
  EXPECT_EQ(Walk({.max_nodes = 3}).size(), 3u);
  EXPECT_THAT(Kinds(), ::testing::ElementsAre("cap"));
}

TEST_F(ListTest, AnInsertionThatTheFreezeCutInTwoLosesNoNode) {
  // __list_add: next->prev = new, new->next = next, new->prev = prev; prev->next = new is missing.
  const Kva added = builder_.Allocate(16);
  builder_.Put(nodes_[5] + 8, added);
  builder_.Put(added, nodes_[5]);
  builder_.Put(added + 8, nodes_[4]);
  std::vector<Kva> all = nodes_;
  all.insert(all.begin() + 5, added);
  EXPECT_THAT(Walk(), ElementsAreArray(all));
}

TEST_F(ListTest, AVisitorWhoHasSeenEnoughEndsTheWalk) {
  Walk();
  std::vector<Kva> seen;
  WalkListWhile({*kernel_, *kernel_->types().value(), anomalies_}, head_, "the list",
                [&](Kva node) {
                  seen.push_back(node);
                  return seen.size() < 3;
                });
  EXPECT_THAT(seen, ElementsAreArray({nodes_[0], nodes_[1], nodes_[2]}));
  EXPECT_TRUE(anomalies_.rows().empty());
}

TEST_F(ListTest, AHeadThatCannotBeReadIsAnAnomaly) {
  head_ = Kva(0xffffc90000000000);
  EXPECT_TRUE(Walk().empty());
  EXPECT_THAT(Kinds(), ::testing::Each("unmapped"));
}

}  // namespace
}  // namespace ktstr
