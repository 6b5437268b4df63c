// Memory frames: what comes back of them, and what of those that no writer made.
#include "libcore/archive/frame_codec.h"

#include <gtest/gtest.h>

#include <cstring>

#include "libcore/archive/compression_level.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {
namespace {

using Bytes = std::vector<std::byte>;

class FrameCodecTest : public ::testing::Test {
 protected:
  FrameCodecTest() {
    for (size_t i = 0; i < pages_.size(); i += 64) pages_[i] = std::byte(i / 64 % 251);
    EXPECT_TRUE(FrameCompressor(kKernelPagesLevel).Compress(pages_, frame_));
  }

  // `bytes` and behind them a skippable frame, as place records are.
  static Bytes WithRecord(Bytes bytes, uint32_t size = 5) {
    for (const uint32_t word : {0x184D2A5Cu, size}) {
      const auto* const begin = reinterpret_cast<const std::byte*>(&word);
      bytes.insert(bytes.end(), begin, begin + sizeof word);
    }
    bytes.resize(bytes.size() + 5);
    return bytes;
  }
  // Whether both ways to decompress it say the same; what they say, empty for damage.
  static Bytes Decompressed(Bytes frame) {
    Bytes plain(8 * kPageSize), compared(plain.size());
    const Status one = DecompressFrame(frame, plain);
    const Status other = DecompressComparedFrame(frame, compared);
    EXPECT_EQ(one.has_value(), other.has_value());
    if (!one || !other) return {};
    EXPECT_EQ(plain, compared);
    return compared;
  }

  Bytes pages_ = Bytes(8 * kPageSize);
  Bytes frame_;
};

TEST_F(FrameCodecTest, AFrameComesBackWithAndWithoutItsPlaceRecord) {
  EXPECT_EQ(Decompressed(frame_), pages_);
  EXPECT_EQ(Decompressed(WithRecord(frame_)), pages_);
}

TEST_F(FrameCodecTest, AFrameWithoutAContentChecksumComesBack) {
  Bytes frame = frame_;
  frame[4] &= ~std::byte(4);
  frame.resize(frame.size() - 4);
  EXPECT_EQ(Decompressed(frame), pages_);
  EXPECT_EQ(Decompressed(WithRecord(frame)), pages_);
}

// Whoever compared its bytes knows that they are what was written.
TEST_F(FrameCodecTest, OnlyWhoComparedTheBytesDoesWithoutTheContentChecksum) {
  Bytes frame = frame_;
  frame.back() ^= std::byte(1);
  Bytes out(pages_.size());
  EXPECT_EQ(DecompressFrame(frame, out).error().code(), ErrorCode::kDamaged);
  EXPECT_TRUE(DecompressComparedFrame(frame, out));
  EXPECT_EQ(out, pages_);
}

TEST_F(FrameCodecTest, WhatIsNoFrameIsDamagedEitherWay) {
  EXPECT_TRUE(Decompressed({}).empty());
  EXPECT_TRUE(Decompressed(Bytes(3)).empty());
  for (size_t size = 0; size < frame_.size(); ++size) {
    EXPECT_TRUE(Decompressed(Bytes(frame_.begin(), frame_.begin() + ptrdiff_t(size))).empty());
  }
  Bytes longer = frame_;
  longer.resize(longer.size() + 12);
  EXPECT_TRUE(Decompressed(longer).empty());
  EXPECT_TRUE(Decompressed(WithRecord(frame_, 4)).empty());
  EXPECT_TRUE(Decompressed(WithRecord(frame_, 6)).empty());
  EXPECT_TRUE(Decompressed(WithRecord({})).empty());
  Bytes two = frame_;
  two.insert(two.end(), frame_.begin(), frame_.end());
  EXPECT_TRUE(Decompressed(two).empty());
  Bytes out(pages_.size() / 2);
  EXPECT_EQ(DecompressComparedFrame(two, out).error().code(), ErrorCode::kDamaged);
}

TEST_F(FrameCodecTest, AnyFlippedBitGivesAnErrorOrPagesAndNothingWorse) {
  Bytes out(pages_.size());
  for (size_t i = 0; i < frame_.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes frame = WithRecord(frame_);
      frame[i] ^= std::byte(1 << bit);
      (void)DecompressComparedFrame(frame, out);
    }
  }
}

}  // namespace
}  // namespace ktstr::archive
