#include "libcore/walk/cpu/cpu_mask.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(CpuMaskTest, RangesReadAsPeopleWriteThem) {
  EXPECT_EQ(ToList({0}), "");
  EXPECT_EQ(ToList({1}), "0");
  EXPECT_EQ(ToList({0b1101}), "0,2-3");
  EXPECT_EQ(ToList({~uint64_t{0}, 1}), "0-64");
  EXPECT_EQ(ToList({uint64_t{1} << 63, 0b11}), "63-65");
}

}  // namespace
}  // namespace ktstr
