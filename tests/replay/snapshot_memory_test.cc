#include "replay/snapshot_memory.h"

#include <cstring>

#include "snapshots.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::SameMemory;
using synthetic::SamePage;

class SnapshotMemoryTest : public ArchivedGuestTest {};

TEST_F(SnapshotMemoryTest, ItReadsAsTheGuestThatWasArchived) {
  const auto guest = synthetic::MakeSampleGuest();
  const SnapshotMemory snapshot(Archive(guest.memory));
  EXPECT_TRUE(SameMemory(snapshot, guest.memory));
  EXPECT_EQ(snapshot.View(Pfn(0x40)).fate(), PageFate::kOutside);
}

TEST_F(SnapshotMemoryTest, DuplicatesShareTheirBytes) {
  const auto guest = synthetic::MakeSampleGuest();
  const SnapshotMemory snapshot(Archive(guest.memory));
  const PageView one = snapshot.View(Pfn(7)), other = snapshot.View(Pfn(22));
  EXPECT_EQ(one.data(), other.data());
}

TEST_F(SnapshotMemoryTest, MissingPagesAreErrorsWithAReason) {
  const auto guest = synthetic::MakeSampleGuest();
  const SnapshotMemory snapshot(Archive(guest.memory));
  EXPECT_EQ(snapshot.ReadScalar<uint32_t>(Pfn(31).pa()).error().message(),
            "the page at guest-physical address 0x1f000 was not captured (page cache)");
  EXPECT_EQ(snapshot.ReadScalar<uint32_t>(Pfn(35).pa()).error().code(), ErrorCode::kUnreadable);
  EXPECT_EQ(snapshot.ReadScalar<uint32_t>(Pfn(0x40).pa()).error().code(), ErrorCode::kOutOfRange);
}

TEST_F(SnapshotMemoryTest, AWriteIsSeenByReadersAndNotByTheArchive) {
  const BufferMemory memory = DistinctPages(4);
  const auto archive = Archive(memory);
  SnapshotMemory snapshot(archive);
  const uint32_t value = 0xfeedface;
  ASSERT_TRUE(snapshot.Write(Pfn(2).pa() - 2, std::as_bytes(std::span(&value, 1))));
  EXPECT_EQ(snapshot.ReadScalar<uint32_t>(Pfn(2).pa() - 2), value);
  EXPECT_EQ(snapshot.ReadScalar<uint64_t>(Pfn(2).pa() + 8), 3u);
  EXPECT_EQ(snapshot.WrittenPages(), (std::vector{Pfn(1), Pfn(2)}));
  EXPECT_TRUE(SameMemory(SnapshotMemory(archive), memory));
}

TEST_F(SnapshotMemoryTest, WritingToADuplicateLeavesTheOthersAsTheyAre) {
  const auto guest = synthetic::MakeSampleGuest();
  SnapshotMemory snapshot(Archive(guest.memory));
  (*snapshot.Writable(Pfn(20)))[0] = std::byte(0xee);
  EXPECT_EQ(snapshot.View(Pfn(20)).data()[0], std::byte(0xee));
  EXPECT_TRUE(SamePage(snapshot.View(Pfn(7)), guest.memory.View(Pfn(7))));
  EXPECT_TRUE(SamePage(snapshot.View(Pfn(21)), guest.memory.View(Pfn(21))));
}

TEST_F(SnapshotMemoryTest, AZeroPageCanBeWrittenAMissingOneCannot) {
  const auto guest = synthetic::MakeSampleGuest();
  SnapshotMemory snapshot(Archive(guest.memory));
  EXPECT_TRUE(snapshot.Writable(Pfn(0)));
  EXPECT_EQ(snapshot.Writable(Pfn(30)).error().code(), ErrorCode::kUnreadable);
  EXPECT_EQ(snapshot.Writable(Pfn(35)).error().code(), ErrorCode::kUnreadable);
  EXPECT_EQ(snapshot.Writable(Pfn(0x40)).error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(snapshot.WrittenPages(), std::vector{Pfn(0)});
}

TEST_F(SnapshotMemoryTest, AWritablePageStaysWhereItIs) {
  SnapshotMemory snapshot(Archive(DistinctPages(600)));
  std::byte* const page = *snapshot.Writable(Pfn(1));
  for (uint64_t i = 0; i < 600; ++i) ASSERT_TRUE(snapshot.Writable(Pfn(i)));
  EXPECT_EQ(*snapshot.Writable(Pfn(1)), page);
  EXPECT_EQ(snapshot.View(Pfn(1)).data(), page);
}

TEST_F(SnapshotMemoryTest, NextTouchedSkipsZeroPagesButNotWrittenOnes) {
  const auto guest = synthetic::MakeSampleGuest();
  SnapshotMemory snapshot(Archive(guest.memory));
  EXPECT_EQ(snapshot.NextTouched(Pfn(36)), Pfn(0x3f));
  ASSERT_TRUE(snapshot.Writable(Pfn(50)));
  EXPECT_EQ(snapshot.NextTouched(Pfn(36)), Pfn(50));
  EXPECT_EQ(snapshot.NextTouched(Pfn(51)), Pfn(0x3f));
  EXPECT_EQ(snapshot.NextTouched(Pfn(0x10000c)), Pfn(0x10001f));
}

TEST_F(SnapshotMemoryTest, NextTouchedEndsWithTheRegionEvenWhenTheNextOneWasWritten) {
  BufferMemory memory({{Pfn(0), Pfn(4)}, {Pfn(0x100000), Pfn(0x100004)}});
  SnapshotMemory snapshot(Archive(memory));
  ASSERT_TRUE(snapshot.Writable(Pfn(0x100003)));
  EXPECT_EQ(snapshot.NextTouched(Pfn(1)), Pfn(4));
  EXPECT_EQ(snapshot.NextTouched(Pfn(0x100000)), Pfn(0x100003));
}

TEST_F(SnapshotMemoryTest, AChangedGuestIsArchivedAgainWithItsChanges) {
  const auto guest = synthetic::MakeSampleGuest();
  SnapshotMemory snapshot(Archive(guest.memory));
  (*snapshot.Writable(Pfn(0)))[5] = std::byte(1);
  (*snapshot.Writable(Pfn(3)))[5] = std::byte(1);
  const auto derived = directory_ / "derived.kts";
  ASSERT_TRUE(WriteArchive(derived, {snapshot}, {}));
  EXPECT_TRUE(SameMemory(SnapshotMemory(ArchiveReader::Open(derived).value()), snapshot));
}

TEST_F(SnapshotMemoryTest, ADamagedFrameDamagesItsPagesAndNoOthers) {
  const BufferMemory memory = DistinctPages(24);
  const auto archive = Archive(memory);
  Damage(32 + 20);  // in the first memory frame
  SnapshotMemory snapshot(archive);
  for (uint64_t i = 0; i < 24; ++i) {
    if (i < 8) {
      EXPECT_EQ(snapshot.View(Pfn(i)).fate(), PageFate::kDamaged);
      EXPECT_EQ(snapshot.Writable(Pfn(i)).error().code(), ErrorCode::kUnreadable);
    } else {
      EXPECT_TRUE(SamePage(snapshot.View(Pfn(i)), memory.View(Pfn(i))));
    }
  }
  EXPECT_EQ(snapshot.cache_statistics().reads, 3u);
}

TEST_F(SnapshotMemoryTest, AViewOutlivesTheEvictionOfItsFrame) {
  const BufferMemory memory = DistinctPages(800);
  const SnapshotMemory snapshot(Archive(memory), {.cache_bytes = 1});
  std::vector<PageView> views;
  for (uint64_t i = 0; i < 800; ++i) views.push_back(snapshot.View(Pfn(i)));
  EXPECT_EQ(snapshot.cache_statistics().resident_frames, 1u);
  for (uint64_t i = 0; i < 800; ++i) ASSERT_TRUE(SamePage(views[i], memory.View(Pfn(i))));
}

}  // namespace
}  // namespace ktstr
