#include "libcore/base/quantity.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

TEST(QuantityTest, SizesHaveSuffixesOfPowersOf1024) {
  EXPECT_EQ(ParseSize("4096"), 4096u);
  EXPECT_EQ(ParseSize("512M"), uint64_t{512} << 20);
  EXPECT_EQ(ParseSize("4g"), uint64_t{4} << 30);
  EXPECT_EQ(ParseSize("4GiB"), uint64_t{4} << 30);
  EXPECT_EQ(ParseSize("16 KiB"), uint64_t{16} << 10);
  for (const char* wrong :
       {"", "M", "12Q", "5MB", "5Mi", "5iB", "5 ", "5  M", "-1", "1.5G", "99999999999T"}) {
    EXPECT_EQ(ParseSize(wrong).error().code(), ErrorCode::kInvalidArgument) << wrong;
  }
  EXPECT_EQ(FormatSize(512), "512 bytes");
  EXPECT_EQ(FormatSize(uint64_t{512} << 20), "512 MiB");
}

TEST(QuantityTest, DurationsHaveAUnit) {
  EXPECT_EQ(ParseDuration("250ms"), microseconds(250'000));
  EXPECT_EQ(ParseDuration("1.5s"), microseconds(1'500'000));
  EXPECT_EQ(ParseDuration("2min"), microseconds(120'000'000));
  EXPECT_EQ(ParseDuration("1d"), std::chrono::hours(24));
  for (const char* wrong : {"", "5", "ms", "5 ms", "-1s", "1w"}) {
    EXPECT_EQ(ParseDuration(wrong).error().code(), ErrorCode::kInvalidArgument) << wrong;
  }
  EXPECT_EQ(FormatDuration(nanoseconds(1'250'000'000)), "1.250 s");
  EXPECT_EQ(FormatDuration(nanoseconds(37'400'000)), "37 ms");
  EXPECT_EQ(FormatDuration(nanoseconds(400'000)), "0.4 ms");
}

}  // namespace
}  // namespace ktstr
