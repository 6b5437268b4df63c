#include "libcore/base/huge_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace ktstr {
namespace {

TEST(HugePagesTest, AVectorHoldsWhatItIsGivenHoweverLargeItIs) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{100'000}, size_t{3'000'000}}) {
    std::vector<uint64_t> vector;
    ReserveInHugePages(vector, count);
    EXPECT_TRUE(vector.empty());
    ASSERT_GE(vector.capacity(), count);
    const uint64_t* const begin = vector.data();
    for (uint64_t i = 0; i < count; ++i) vector.push_back(i);
    EXPECT_EQ(vector.data(), begin);
    EXPECT_TRUE(std::ranges::is_sorted(vector));
  }
}

TEST(HugePagesTest, WhatWasThereStays) {
  std::vector<uint64_t> vector(2'000'000, 7);
  AdviseHugePages(vector.data(), vector.size() * sizeof(uint64_t));
  EXPECT_EQ(std::ranges::count(vector, 7u), 2'000'000);
}

}  // namespace
}  // namespace ktstr
