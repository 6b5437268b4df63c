#include "libcore/archive/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace ktstr::archive {
namespace {

std::vector<std::byte> Raw(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(BytesTest, EveryVarintComesBackAsItWas) {
  std::vector<uint64_t> values = {0, std::numeric_limits<uint64_t>::max()};
  for (int bit = 0; bit < 64; ++bit) {
    values.push_back(uint64_t{1} << bit);
    values.push_back((uint64_t{1} << bit) - 1);
  }
  ByteSink sink;
  for (const uint64_t value : values) sink.PutVarint(value);
  ByteSource source(sink.bytes());
  for (const uint64_t value : values) EXPECT_EQ(source.GetVarint(), value);
  EXPECT_TRUE(source.ok());
  EXPECT_EQ(source.left(), 0u);
}

TEST(BytesTest, AVarintThatIsCutOffOverlongOrTooLargeIsRefused) {
  for (const auto& bytes :
       {Raw({}), Raw({0x80}), Raw({0xff, 0xff}), Raw({0x80, 0x00}),
        Raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),
        Raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})}) {
    ByteSource source(bytes);
    EXPECT_EQ(source.GetVarint(), 0u);
    EXPECT_FALSE(source.ok());
  }
}

TEST(BytesTest, ASourceThatRanOutStaysNotOk) {
  const auto bytes = Raw({1, 2, 3});
  ByteSource source(bytes);
  EXPECT_EQ(source.Get<uint16_t>(), 0x0201u);
  EXPECT_EQ(source.Get<uint32_t>(), 0u);
  EXPECT_EQ(source.Get<uint8_t>(), 0u);
  EXPECT_FALSE(source.ok());
}

}  // namespace
}  // namespace ktstr::archive
