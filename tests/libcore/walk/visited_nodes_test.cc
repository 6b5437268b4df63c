#include "libcore/walk/container/visited_nodes.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_set>

namespace ktstr {
namespace {

TEST(VisitedNodesTest, HoldsWhatASetWould) {
  for (const uint64_t stride : {uint64_t{1}, uint64_t{64}, uint64_t{4096}, uint64_t{1} << 40}) {
    VisitedNodes nodes;
    std::unordered_set<uint64_t> expected;
    std::mt19937_64 random(stride);
    for (int i = 0; i < 5000; ++i) {
      const uint64_t node = 0xffff888000000000 + random() % 3000 * stride;
      EXPECT_EQ(nodes.contains(node), expected.contains(node));
      EXPECT_EQ(nodes.insert(node), expected.insert(node).second);
      EXPECT_EQ(nodes.size(), expected.size());
    }
    for (uint64_t i = 0; i < 3000; ++i) {
      const uint64_t node = 0xffff888000000000 + i * stride;
      EXPECT_EQ(nodes.contains(node), expected.contains(node));
    }
  }
}

TEST(VisitedNodesTest, ZeroIsANodeAsAnyOther) {
  for (const uint64_t others :
       {uint64_t{0}, uint64_t{7}, uint64_t{8}, uint64_t{9}, uint64_t{200}}) {
    VisitedNodes nodes;
    for (uint64_t i = 1; i <= others; ++i) nodes.insert(i);
    EXPECT_FALSE(nodes.contains(0));
    EXPECT_TRUE(nodes.insert(0));
    EXPECT_FALSE(nodes.insert(0));
    for (uint64_t i = others + 1; i <= others + 200; ++i) EXPECT_TRUE(nodes.insert(i));
    EXPECT_TRUE(nodes.contains(0));
    EXPECT_EQ(nodes.size(), others + 201);
  }
}

}  // namespace
}  // namespace ktstr
