#include "replay/frame_cache.h"

#include <cstring>

#include "snapshots.h"

namespace ktstr {
namespace {

constexpr uint64_t kFrameBytes = 8 * kPageSize;

class FrameCacheTest : public ArchivedGuestTest {};

TEST_F(FrameCacheTest, AFrameThatIsKeptIsReadOnce) {
  const auto archive = Archive(DistinctPages(80));
  FrameCache cache(*archive, 10 * kFrameBytes);
  for (int round = 0; round < 3; ++round) {
    for (uint64_t frame = 0; frame < 10; ++frame) EXPECT_NE(cache.Get(frame), nullptr);
  }
  EXPECT_EQ(cache.statistics().reads, 10u);
}

TEST_F(FrameCacheTest, ItNeverKeepsMoreThanItsCapacity) {
  const auto archive = Archive(DistinctPages(1600));
  for (const uint64_t frames : {0, 1, 2, 7, 8, 9, 31, 100}) {
    FrameCache cache(*archive, frames * kFrameBytes);
    std::vector<std::weak_ptr<const std::byte[]>> seen;
    for (uint64_t i = 0; i < 400; ++i) seen.push_back(cache.Get(i * 7 % 200));
    const auto statistics = cache.statistics();
    EXPECT_LE(statistics.capacity_frames, std::max<uint64_t>(1, frames));
    EXPECT_LE(statistics.resident_frames, statistics.capacity_frames);
    // What is not kept is freed.
    uint64_t alive = 0;
    for (const auto& frame : seen) alive += frame.expired() ? 0 : 1;
    EXPECT_LE(alive, 2 * statistics.capacity_frames);
  }
}

TEST_F(FrameCacheTest, AFrameInConstantUseStays) {
  const auto archive = Archive(DistinctPages(800));
  FrameCache cache(*archive, 4 * kFrameBytes);
  const std::byte* const first = cache.Get(0).get();
  for (uint64_t frame = 1; frame < 100; ++frame) {
    cache.Get(frame);
    EXPECT_EQ(cache.Get(0).get(), first);
  }
  EXPECT_EQ(cache.statistics().reads, 100u);
}

TEST_F(FrameCacheTest, OfWhatIsLookedAtOnceItKeepsLittle) {
  const auto archive = Archive(DistinctPages(8 * 600));
  FrameCache cache(*archive, 600 * kFrameBytes);
  for (int round = 0; round < 2; ++round) EXPECT_NE(cache.Get(0), nullptr);
  cache.ExpectOnePass(1);
  for (uint64_t frame = 1; frame < 600; ++frame) {
    EXPECT_NE(cache.Get(frame), nullptr);
    EXPECT_NE(cache.Get(0), nullptr);
  }
  EXPECT_EQ(cache.statistics().resident_frames, 64 * 2u);
  // Read once each; what is used all the time stays.
  EXPECT_EQ(cache.statistics().reads, 600u);
  cache.ExpectOnePass(-1);
  for (uint64_t frame = 1; frame < 600; ++frame) EXPECT_NE(cache.Get(frame), nullptr);
  EXPECT_GT(cache.statistics().resident_frames, 500u);
}

TEST_F(FrameCacheTest, AWalkThatIsReadAheadSeesTheSameAndReadsEachFrameOnce) {
  const auto archive = Archive(DistinctPages(8 * 600));
  FrameCache plain(*archive, 1);
  FrameCache cache(*archive, 256 * kFrameBytes, FrameCache::Ahead::kInOrder);
  for (uint64_t frame = 0; frame < 600; ++frame) {
    const auto expected = plain.Get(frame), found = cache.Get(frame);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(std::memcmp(found.get(), expected.get(), kFrameBytes), 0) << frame;
  }
  EXPECT_EQ(cache.statistics().reads, 600u);
  EXPECT_LE(cache.statistics().resident_frames, 256u);
}

TEST_F(FrameCacheTest, ReadingAheadMeetsDamageAndTheEndOfTheWalk) {
  const auto archive = Archive(DistinctPages(8 * 200));
  Damage(32 + 20);
  for (const uint64_t last : {3, 7, 20, 200}) {
    FrameCache cache(*archive, 256 * kFrameBytes, FrameCache::Ahead::kInOrder);
    EXPECT_EQ(cache.Get(0), nullptr);
    for (uint64_t frame = 1; frame < last; ++frame) EXPECT_NE(cache.Get(frame), nullptr);
    EXPECT_EQ(cache.Get(0), nullptr);
    EXPECT_LE(cache.statistics().reads, last + 1 + ReadAhead::kWindow);
  }
}

TEST_F(FrameCacheTest, ADamagedFrameIsTriedOnce) {
  const auto archive = Archive(DistinctPages(16));
  Damage(32 + 20);
  FrameCache cache(*archive, 4 * kFrameBytes);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.Get(0), nullptr);
  EXPECT_NE(cache.Get(1), nullptr);
  EXPECT_EQ(cache.statistics().reads, 2u);
}

}  // namespace
}  // namespace ktstr
