// Pages that are equal but for where they lie.
#include "libcore/archive/relocation.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <random>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/salvage.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;
using synthetic::SampleGuest;

constexpr uint64_t kVmemmap = 0xffffea0000000000;

struct Page {
  std::array<uint64_t, kPageSize / 8> words = {};

  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(words.data()); }
  friend bool operator==(const Page&, const Page&) = default;
};

Page At(const Page& page, const Relocation& relocation) {
  Page moved;
  Relocate(page.bytes(), relocation, reinterpret_cast<std::byte*>(moved.words.data()));
  return moved;
}

// Words of all kinds, some of them within reach of `own`.
Page RandomPage(uint64_t own, std::mt19937_64& random) {
  Page page;
  for (uint64_t& word : page.words) {
    const uint64_t near = random() % (2 * kOwnReach) - kOwnReach;
    const uint64_t kinds[] = {
        0, random(), own + near, random() % 4096, own + kOwnReach, own - kOwnReach - 1};
    word = kinds[random() % std::size(kinds)];
  }
  page.words[7] = own + 56;
  return page;
}

TEST(RelocationTest, APageSaysWhereItLiesByAPointerToItself) {
  Page page;
  EXPECT_EQ(OwnAddress(page.bytes()), 0u);
  page.words[0] = kVmemmap;  // could point to any page
  page.words[2] = 16;        // no kernel address
  page.words[3] = 0x00007fff00000018;
  page.words[5] = kVmemmap + 0x30;  // points elsewhere in a page
  EXPECT_EQ(OwnAddress(page.bytes()), 0u);
  page.words[511] = kVmemmap + 0x7ff8;
  EXPECT_EQ(OwnAddress(page.bytes()), kVmemmap + 0x7000);
}

TEST(RelocationTest, AMovedPageIsEqualAndMovesBack) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const uint64_t from = kVmemmap + random() % 0x100000 * kPageSize;
    const uint64_t to = random() % 2 ? from + random() % 512 * kPageSize : random() << kPageShift;
    const Page page = RandomPage(from, random);
    const Page moved = At(page, {from, to});
    // Where a word that stays is within reach of the new address, there is no way back.
    bool ambiguous = false;
    for (const uint64_t word : page.words) {
      ambiguous |=
          word - from + kOwnReach >= 2 * kOwnReach && word - to + kOwnReach < 2 * kOwnReach;
    }
    ASSERT_EQ(EqualButForAddress(page.bytes(), from, moved.bytes(), to), !ambiguous);
    ASSERT_EQ(EqualButForAddress(moved.bytes(), to, page.bytes(), from), !ambiguous);
    if (ambiguous) continue;
    ASSERT_EQ(At(moved, {to, from}), page);
    ASSERT_EQ(HashRelative(page.bytes(), from), HashRelative(moved.bytes(), to));
  }
}

TEST(RelocationTest, PagesThatDifferInAnyWordAreNotEqual) {
  std::mt19937_64 random(2);
  const uint64_t from = kVmemmap, to = kVmemmap + 0x500000;
  const Page page = RandomPage(from, random);
  for (size_t i = 0; i < page.words.size(); ++i) {
    for (const uint64_t change : {uint64_t{1}, uint64_t{1} << 63, to - from, kOwnReach}) {
      Page other = At(page, {from, to});
      other.words[i] += change;
      EXPECT_FALSE(EqualButForAddress(page.bytes(), from, other.bytes(), to)) << i;
    }
  }
}

// What the writer makes of them, and what is read back.
class RelocatedPagesTest : public testing::Test {
 protected:
  static SampleGuest GuestOf(BufferMemory memory) { return {std::move(memory), {}, {}, {}}; }
  std::unique_ptr<ArchiveReader> Write(const SampleGuest& guest) {
    WriteSample(path_, guest, {.overwrite = true});
    return ArchiveReader::Open(path_).value();
  }

  synthetic::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
};

TEST_F(RelocatedPagesTest, AreStoredOnceWhereverTheyLie) {
  // In two regions, and so that a block of pages (512) begins amid them.
  BufferMemory memory({{Pfn(0), Pfn(2000)}, {Pfn(0x100000), Pfn(0x100010)}});
  for (uint64_t i = 0; i < 1000; ++i) FillFreeStructPages(memory, Pfn(100 + i), i * kPageSize);
  // One in use between them, one at the address of another, and some from elsewhere.
  memory.Put<uint64_t>(Pfn(700).pa() + 32, 0x1234);
  FillFreeStructPages(memory, Pfn(1500), 3 * kPageSize);
  FillFreeStructPages(memory, Pfn(1501), uint64_t{1} << 40);
  FillFreeStructPages(memory, Pfn(1502), 0);
  for (uint64_t i = 0; i < 4; ++i) {
    FillFreeStructPages(memory, Pfn(0x10000c + i), (5000 + i) * kPageSize);
  }
  const SampleGuest guest = GuestOf(std::move(memory));
  const auto archive = Write(guest);
  EXPECT_EQ(WrongAnswer(*archive, guest), "");
  uint64_t stored = 0, relocated = 0;
  for (const MemoryRegion& region : guest.memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageRecord record = archive->Lookup(pfn);
      stored += record.fate == PageFate::kPresent && !record.duplicate;
      relocated += record.relocation.has_value();
    }
  }
  EXPECT_EQ(stored, 2u);
  EXPECT_EQ(relocated, 1000 - 2 + 2 + 4u);
  EXPECT_FALSE(archive->Lookup(Pfn(1502)).relocation);  // the same as the first
  const std::vector<uint64_t> frames = {0};
  EXPECT_EQ(archive->PagesOfFrames(frames).size(), 1000 + 3 + 4u);
}

// A pointer that all of them hold to one place is within reach of some and not of others.
TEST_F(RelocatedPagesTest, ComeBackWhereWhatTheyPointToIsNearSomeOfThem) {
  BufferMemory memory(3000 * kPageSize);
  for (uint64_t i = 0; i < 2000; ++i) {
    FillFreeStructPages(memory, Pfn(500 + i), i * kPageSize);
    memory.Put<uint64_t>(Pfn(500 + i).pa() + 24, kVmemmap + 900 * kPageSize + 0x18);
  }
  const SampleGuest guest = GuestOf(std::move(memory));
  const auto archive = Write(guest);
  EXPECT_EQ(WrongAnswer(*archive, guest), "");
  // Those within reach are 512 and differ from one another; the others are one.
  uint64_t stored = 0;
  for (uint64_t i = 0; i < 2000; ++i) stored += !archive->Lookup(Pfn(500 + i)).duplicate;
  EXPECT_EQ(stored, 512 + 1u);
}

// A guest can hold what it likes: a page that says it is the last of all, and one behind it.
TEST_F(RelocatedPagesTest, DoNotGoOnBehindTheLastAddress) {
  constexpr uint64_t kLast = -kPageSize;
  BufferMemory memory(8 * kPageSize);
  const auto fill = [&memory](Pfn pfn, uint64_t address) {
    for (uint64_t offset = 0; offset < kPageSize; offset += 8) {
      memory.Put<uint64_t>(pfn.pa() + offset, address + offset);
    }
  };
  fill(Pfn(1), kLast - kPageSize);
  fill(Pfn(2), kLast);
  fill(Pfn(3), 0);
  fill(Pfn(4), kPageSize);
  const SampleGuest guest = GuestOf(std::move(memory));
  const auto archive = Write(guest);
  ASSERT_NE(archive, nullptr);
  EXPECT_EQ(WrongAnswer(*archive, guest), "");
}

TEST_F(RelocatedPagesTest, AreSavedFromAFileWithoutItsEnd) {
  BufferMemory memory(3000 * kPageSize);
  for (uint64_t i = 0; i < 1000; ++i) FillFreeStructPages(memory, Pfn(100 + i), i * kPageSize);
  for (uint64_t i = 0; i < 200; ++i) synthetic::FillRandom(memory, Pfn(2000 + i), i);
  const SampleGuest guest = GuestOf(std::move(memory));
  Write(guest);
  Bytes bytes = ReadFile(path_);
  for (const size_t cut : {size_t{0}, size_t{1}, bytes.size() / 4}) {
    WriteFile(path_, std::span(bytes).first(bytes.size() - cut));
    const auto salvaged = SalvageArchive(path_);
    ASSERT_TRUE(salvaged) << salvaged.error().ToString();
    for (uint64_t i = 0; i < 1000; ++i) {
      const Pfn pfn(100 + i);
      ASSERT_TRUE(synthetic::SamePage(salvaged->memory->View(pfn), guest.memory.View(pfn)))
          << i << ' ' << cut;
    }
  }
}

}  // namespace
}  // namespace ktstr::archive
