#include "libcore/image/vmcoreinfo.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "fixtures/synthetic/buffer_memory.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;

constexpr std::string_view kNote =
    "OSRELEASE=6.12.1\nBUILD-ID=aabb\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\n"
    "NUMBER(phys_base)=-33554432\nKERNELOFFSET=1e200000\n";

void PutText(BufferMemory& memory, Pa pa, std::string_view text) {
  memory.PutBytes(pa, std::as_bytes(std::span(text)));
}

TEST(VmcoreinfoTest, ReadsNumbersAsTheKernelPrintsThem) {
  const auto note = Vmcoreinfo::Parse(kNote, Pa(0x1000));
  ASSERT_TRUE(note);
  EXPECT_EQ(note->release(), "6.12.1");
  EXPECT_EQ(note->build_id(), "aabb");
  EXPECT_EQ(note->Symbol("swapper_pg_dir"), Kva(0xffffffff82a10000));
  EXPECT_EQ(note->Number("phys_base"), -33554432);
  EXPECT_EQ(note->kernel_offset(), 0x1e200000u);
  EXPECT_EQ(note->Number("absent"), std::nullopt);
}

TEST(VmcoreinfoTest, AnUnknownOffsetIsNotAnOffsetOfZero) {
  const auto note = Vmcoreinfo::Parse(
      "OSRELEASE=6\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\nNUMBER(phys_base)=0\n", Pa(0));
  ASSERT_TRUE(note);
  EXPECT_EQ(note->kernel_offset(), std::nullopt);
}

TEST(VmcoreinfoTest, FindsTheTextAtAPagesBeginAndBehindItsNoteHeader) {
  BufferMemory memory(16 * kPageSize);
  PutText(memory, Pa(3 * kPageSize), kNote);
  PutText(memory, Pa(7 * kPageSize + 0x18), std::string(kNote) + "EXTRA=1\n");
  const auto notes = Vmcoreinfo::FindAll(memory);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].pa(), Pa(3 * kPageSize));
  EXPECT_EQ(notes[1].pa(), Pa(7 * kPageSize + 0x18));
}

TEST(VmcoreinfoTest, CopiesOfOneNoteCountOnce) {
  BufferMemory memory(16 * kPageSize);
  PutText(memory, Pa(3 * kPageSize), kNote);
  PutText(memory, Pa(9 * kPageSize), kNote);
  EXPECT_EQ(Vmcoreinfo::FindAll(memory).size(), 1u);
}

// RAM that must not be asked for what is behind a region.
class StrictMemory : public BufferMemory {
 public:
  using BufferMemory::BufferMemory;
  Pfn NextTouched(Pfn from) const override {
    EXPECT_NE(FindRegion(from), nullptr) << from.value();
    return from;
  }
};

TEST(VmcoreinfoTest, ARegionMayEndWithAPageThatCannotBeRead) {
  StrictMemory memory(4 * kPageSize);
  PutText(memory, Pa(kPageSize), kNote);
  memory.Damage(Pfn(3));
  EXPECT_EQ(Vmcoreinfo::FindAll(memory).size(), 1u);
}

// As many pages as an archive can have, all one and the same.
class RepeatedMemory : public GuestMemory {
 public:
  std::span<const MemoryRegion> regions() const override { return {&kRegion, 1}; }
  PageView View(Pfn) const override {
    ++views_;
    return PageView::Present(page_.data());
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "a test's"); }
  uint64_t views() const { return views_; }

 private:
  static constexpr MemoryRegion kRegion = {Pfn(0), Pfn(0xffffffff)};
  std::array<std::byte, kPageSize> page_ = {std::byte(1)};
  mutable std::atomic<uint64_t> views_ = 0;  // several threads look
};

TEST(VmcoreinfoTest, OfOnePageThatMemoryRepeatsWithoutEndNotAllAreLookedAt) {
  const RepeatedMemory memory;
  EXPECT_TRUE(Vmcoreinfo::FindAll(memory).empty());
  EXPECT_LT(memory.views(), uint64_t{1} << 26);
}

TEST(VmcoreinfoTest, TextThatOnlyBeginsLikeANoteIsNone) {
  BufferMemory memory(4 * kPageSize);
  PutText(memory, Pa(kPageSize), "OSRELEASE=6.12.1 is what uname says");
  EXPECT_TRUE(Vmcoreinfo::FindAll(memory).empty());
}

TEST(VmcoreinfoTest, ANoteThatEndsBeforeThePageDoesNotNeedTheNextPage) {
  BufferMemory memory(4 * kPageSize);
  PutText(memory, Pa(kPageSize + 0x18), kNote);
  memory.LeaveOut(Pfn(2), LeftOutReason::kFree);
  EXPECT_TRUE(Vmcoreinfo::ReadAt(memory, Pa(kPageSize + 0x18)));
}

class CountingMemory : public BufferMemory {
 public:
  using BufferMemory::BufferMemory;
  PageView View(Pfn pfn) const override {
    ++views_;
    return BufferMemory::View(pfn);
  }
  uint64_t views() const { return views_; }

 private:
  mutable std::atomic<uint64_t> views_ = 0;
};

TEST(VmcoreinfoTest, OfMemoryFullOfNotesTheFirstOnesAreTaken) {
  constexpr uint64_t kPages = 1000;
  BufferMemory memory(kPages * kPageSize);
  for (uint64_t i = 0; i < kPages; ++i) {
    PutText(memory, Pa(i * kPageSize), fmt::format("{}EXTRA={}\n", kNote, i));
  }
  const auto notes = Vmcoreinfo::FindAll(memory);
  ASSERT_EQ(notes.size(), 64u);
  for (uint64_t i = 0; i < notes.size(); ++i) EXPECT_EQ(notes[i].pa(), Pa(i * kPageSize));
}

// Notes of memory that is full of them, as long as they may be, would take gigabytes.
TEST(VmcoreinfoTest, NotesBehindTheFirstOnesAreNotEvenLookedAt) {
  constexpr uint64_t kPages = 4096;
  CountingMemory memory(kPages * kPageSize);
  for (uint64_t i = 0; i < kPages; ++i) {
    PutText(memory, Pa(i * kPageSize), fmt::format("{}EXTRA={}\n", kNote, i));
  }
  const uint64_t before = memory.views();
  EXPECT_EQ(Vmcoreinfo::FindAll(memory).size(), 64u);
  EXPECT_LT(memory.views() - before, 1000u);
}

// Which thread comes first makes no difference.
TEST(VmcoreinfoTest, OfNotesThatSayTheSameTheFirstIsTakenWhereverTheOthersAre) {
  constexpr uint64_t kPages = 20000;
  BufferMemory memory(kPages * kPageSize);
  for (const uint64_t page : {17u, 4096u, 8191u, 12345u, 19999u}) {
    PutText(memory, Pa(page * kPageSize), kNote);
  }
  PutText(memory, Pa(9000 * kPageSize), fmt::format("{}CRASHTIME=1\n", kNote));
  for (int i = 0; i < 20; ++i) {
    const auto notes = Vmcoreinfo::FindAll(memory);
    ASSERT_EQ(notes.size(), 2u);
    EXPECT_EQ(notes[0].pa(), Pa(17 * kPageSize));
    EXPECT_EQ(notes[1].pa(), Pa(9000 * kPageSize));
  }
}

}  // namespace
}  // namespace ktstr
