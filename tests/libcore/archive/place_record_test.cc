// Place records: what fits, in how much room, and nothing that was not written.
#include "libcore/archive/place_record.h"

#include <gtest/gtest.h>

#include <random>

namespace ktstr::archive {
namespace {

TEST(PlaceLogTest, PutsPagesTogetherThatFollowEachOther) {
  PlaceLog log;
  log.Add(Pfn(1), 1, RunKind::kStored);
  log.Add(Pfn(2), 1, RunKind::kStored);
  log.Add(Pfn(3), 5, RunKind::kZero);
  log.Add(Pfn(8), 1, RunKind::kZero);
  log.Add(Pfn(9), 1, RunKind::kSame, 7);
  log.Add(Pfn(10), 1, RunKind::kSame, 8);
  log.Add(Pfn(11), 1, RunKind::kSame, 9);
  log.Add(Pfn(12), 1, RunKind::kSame, 9);
  log.Add(Pfn(13), 1, RunKind::kSame, 9);
  log.Add(Pfn(14), 1, RunKind::kLeftOut, 1);
  log.Add(Pfn(15), 1, RunKind::kLeftOut, 2);
  log.Add(Pfn(20), 1, RunKind::kLeftOut, 2);
  const std::vector<PlacedRun> expected = {
      {Pfn(1), 2, RunKind::kStored, 0},   {Pfn(3), 6, RunKind::kZero, 0},
      {Pfn(9), 3, RunKind::kSequence, 7}, {Pfn(12), 2, RunKind::kSame, 9},
      {Pfn(14), 1, RunKind::kLeftOut, 1}, {Pfn(15), 1, RunKind::kLeftOut, 2},
      {Pfn(20), 1, RunKind::kLeftOut, 2}};
  EXPECT_EQ(log.Take(), expected);
  EXPECT_TRUE(log.Take().empty());
}

TEST(PlaceLogTest, PutsPagesTogetherThatAreOneAtAddressesThatFollow) {
  constexpr Relocation kAt = {0xffffea0000000000, 0xffffea0000040000};
  PlaceLog log;
  log.Add(Pfn(1), 1, RunKind::kStored);
  for (uint64_t i = 0; i < 3; ++i) log.Add(Pfn(2 + i), 1, RunKind::kRelocated, 0, kAt.Further(i));
  log.Add(Pfn(5), 1, RunKind::kRelocated, 0, kAt);
  log.Add(Pfn(6), 1, RunKind::kRelocated, 7, kAt.Further(1));
  std::vector<PlacedRun> runs = log.Take();
  const std::vector<PlacedRun> expected = {{Pfn(1), 1, RunKind::kStored, 0},
                                           {Pfn(2), 3, RunKind::kRelocated, 0, kAt},
                                           {Pfn(5), 1, RunKind::kRelocated, 0, kAt},
                                           {Pfn(6), 1, RunKind::kRelocated, 7, kAt.Further(1)}};
  EXPECT_EQ(runs, expected);
  OpeningPiece opening;
  std::vector<std::byte> record;
  AppendPlaceRecord(0, 4096, runs, opening, record);
  EXPECT_EQ(DecodePlaceRecord(record)->runs, expected);
}

// More runs than have room, of which the stored ones must come at once.
TEST(PlaceRecordTest, TakesWhatFitsAndLeavesTheRestForTheNext) {
  std::vector<PlacedRun> runs;
  for (uint64_t i = 0; i < 100; ++i) {
    runs.push_back({Pfn(1000 + 2 * i), 1, RunKind::kLeftOut, 1 + i % 4});
    if (i % 12 == 0) runs.push_back({Pfn(1001 + 2 * i), 1, RunKind::kStored, 0});
  }
  const std::vector<PlacedRun> all = runs;
  const std::vector<std::byte> opening_bytes(1000, std::byte(3));
  OpeningPiece opening = {0, 1000, opening_bytes};
  std::vector<PlacedRun> decoded;
  size_t opened = 0;
  for (int i = 0; i < 100 && (!runs.empty() || !opening.bytes.empty()); ++i) {
    std::vector<std::byte> record;
    AppendPlaceRecord(40 + i, 200, runs, opening, record);
    EXPECT_LE(record.size(), 200u);
    ASSERT_EQ(PlaceRecordSize(record), record.size());
    const auto again = DecodePlaceRecord(record);
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_EQ(again->first_stored, uint64_t(40 + i));
    EXPECT_EQ(again->opening.bytes.empty() ? opened : again->opening.offset, opened);
    opened += again->opening.bytes.size();
    decoded.insert(decoded.end(), again->runs.begin(), again->runs.end());
    for (const PlacedRun& run : runs) EXPECT_NE(run.kind, RunKind::kStored);
  }
  EXPECT_EQ(opened, 1000u);
  std::ranges::sort(decoded, {}, &PlacedRun::first);
  EXPECT_EQ(decoded, all);
}

TEST(PlaceRecordTest, OfWhichAnyBitHasFlippedIsRefused) {
  std::vector<PlacedRun> runs = {{Pfn(5), 8, RunKind::kStored, 0}, {Pfn(13), 1, RunKind::kSame, 3}};
  OpeningPiece opening;
  std::vector<std::byte> record;
  AppendPlaceRecord(16, 4096, runs, opening, record);
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::vector<std::byte> bad = record;
    bad[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(DecodePlaceRecord(bad)) << "bit " << bit;
  }
}

}  // namespace
}  // namespace ktstr::archive
