#include "libcore/walk/container/rb_tree.h"

#include "fixtures/synthetic/container_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// Fifteen nodes in pages of their own; 7 is on top, 3 and 11 below it, then 1, 5, 9 and 13.
class RbTreeTest : public ::testing::Test {
 protected:
  RbTreeTest() {
    synthetic::DefineTreeTypes(b().types());
    root_ = b().Data("the_root", b().SizeOf("rb_root"));
    nodes_ = NewNodes(15);
    LinkRbTree(b(), root_, nodes_);
  }

  synthetic::KernelBuilder& b() { return guest_.builder(); }
  std::vector<Kva> NewNodes(size_t count) {
    std::vector<Kva> nodes;
    for (size_t i = 0; i < count; ++i) nodes.push_back(b().Allocate(64, kPageSize));
    return nodes;
  }
  void SetLeft(Kva node, Kva to) { b().Set("rb_node", node, "rb_left", to.value()); }
  void SetRight(Kva node, Kva to) { b().Set("rb_node", node, "rb_right", to.value()); }
  void SetParent(Kva node, Kva to) { b().Set("rb_node", node, "__rb_parent_color", to.value()); }
  std::vector<Kva> Walk(const WalkLimits& limits = {}) {
    return WalkRbTree(guest_.Begin(anomalies_, limits), root_, "the tree");
  }
  std::vector<Kva> Nodes(std::initializer_list<size_t> numbers) const {
    std::vector<Kva> some;
    for (const size_t number : numbers) some.push_back(nodes_[number]);
    return some;
  }

  WalkGuest guest_;
  Anomalies anomalies_{"test"};
  Kva root_;
  std::vector<Kva> nodes_;
};

TEST_F(RbTreeTest, AllNodesInOrder) {
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RbTreeTest, AnEmptyTreeHasNone) {
  LinkRbTree(b(), root_, {});
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RbTreeTest, ACycleCostsOnlyWhatHungThere) {
  SetLeft(nodes_[1], nodes_[3]);
  EXPECT_THAT(Walk(), ElementsAreArray(Nodes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cycle", nodes_[3]));
}

TEST_F(RbTreeTest, AWildPointerCostsOnlyWhatHungThere) {
  SetLeft(nodes_[11], guest_.Wild());
  EXPECT_THAT(Walk(), ElementsAreArray(Nodes({0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", guest_.Wild()));
}

TEST_F(RbTreeTest, AnUnmappedNodeCostsOnlyWhatHungThere) {
  const Kva unmapped = guest_.Unmapped();
  SetRight(nodes_[5], unmapped);
  EXPECT_THAT(Walk(), ElementsAreArray(Nodes({0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", unmapped));
}

TEST_F(RbTreeTest, ANodeInAPageThatWasLeftOutCostsOnlyItsSubtree) {
  guest_.LeaveOut(nodes_[13]);
  EXPECT_THAT(Walk(), ElementsAreArray(Nodes({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unreadable", nodes_[13]));
}

TEST_F(RbTreeTest, TheCapEndsTheWalkAndSaysSo) {
  // On the way down to the first node four were met.
  EXPECT_EQ(Walk({.max_nodes = 6}).size(), 6u);
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("cap", nodes_[4]));
}

TEST_F(RbTreeTest, AWalkThatShallStopDoesAndSaysSo) {
  const std::atomic<bool> asked = true;
  const Stop stop(&asked, std::nullopt);
  EXPECT_THAT(Walk({.stop = &stop}), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("stopped", nodes_[7]));
}

TEST_F(RbTreeTest, AsManyNodesAsTheCapAreNotOneTooMany) {
  EXPECT_THAT(Walk({.max_nodes = 15}), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), NoAnomalies());
}

TEST_F(RbTreeTest, ARootThatCannotBeReadIsAnAnomaly) {
  root_ = guest_.Unmapped();
  EXPECT_THAT(Walk(), IsEmpty());
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("unmapped", root_));
}

TEST_F(RbTreeTest, ReadableMemoryThatIsNoNodeIsNotTakenForOne) {
  const Kva zeros = b().Allocate(kPageSize, kPageSize);
  SetLeft(nodes_[0], zeros);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", zeros));
}

TEST_F(RbTreeTest, ANodeOfAnotherTreeIsNotTakenForOne) {
  const std::vector<Kva> others = NewNodes(7);
  LinkRbTree(b(), b().Data("another_root", 8), others);
  SetLeft(nodes_[0], others[0]);
  SetRight(nodes_[14], others[3]);
  EXPECT_THAT(Walk(), ElementsAreArray(nodes_));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", others[0]));
  EXPECT_THAT(anomalies_.rows(), HasAnomaly("damage", others[3]));
}

// A rotation to the right around a node, one write after the other, as __rb_insert does it
// (lib/rbtree.c): its left child takes its place. A freeze can come after any of them.
class RotationTest : public RbTreeTest, public ::testing::WithParamInterface<int> {
 protected:
  void RotateRight(size_t top, size_t left, size_t between, size_t above) {
    int left_over = GetParam();
    const auto write = [&](auto&& action) {
      if (left_over-- > 0) action();
    };
    const Kva gparent = nodes_[top], parent = nodes_[left], moved = nodes_[between];
    const bool is_root = above == top;
    const Kva over = is_root ? Kva() : nodes_[above];
    write([&] { SetLeft(gparent, moved); });
    write([&] { SetRight(parent, gparent); });
    write([&] { SetParent(moved, gparent); });
    write([&] { SetParent(parent, over); });
    write([&] { SetParent(gparent, parent); });
    write([&] { is_root ? b().Put(root_, parent) : SetRight(over, parent); });
  }
};

TEST_P(RotationTest, AtTheTopCostsAtMostWhatIsOnItsWay) {
  RotateRight(7, 3, 5, /*above=*/7);
  const std::vector<Kva> found = Walk();
  // Only the node that goes up, and its left side, can be out of reach for a moment.
  EXPECT_THAT(found, ::testing::IsSupersetOf(Nodes({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})));
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
}

TEST_P(RotationTest, FurtherDownCostsAtMostWhatIsOnItsWay) {
  RotateRight(11, 9, 10, /*above=*/7);
  const std::vector<Kva> found = Walk();
  EXPECT_THAT(found, ::testing::IsSupersetOf(Nodes({0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14})));
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
}

INSTANTIATE_TEST_SUITE_P(EachWrite, RotationTest, ::testing::Range(0, 7));

}  // namespace
}  // namespace ktstr
