// What SalvageArchive recovers of archives that are cut off, scratched, or both: every memory frame
// that is intact, and never a wrong page.
#include "libcore/archive/salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/container.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/salvaged_memory.h"

namespace ktstr::archive {
namespace {

using synthetic::SampleGuest;

class SalvageTest : public testing::Test {
 protected:
  SalvageTest() {
    // Some that compress, as a guest's do, so that records have room.
    for (const MemoryRegion& region : guest_.memory.regions()) {
      for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
        if (guest_.memory.View(pfn).fate() == PageFate::kZero && pfn.value() % 3 != 0) {
          guest_.memory.Put<uint64_t>(pfn.pa() + 64, pfn.value());
        }
      }
    }
    WriteSample(path_, guest_, {.pages_per_frame = 4});
    good_ = ReadFile(path_);
    container_ = ReadContainer(InputFile::Open(path_).value()).value();
  }

  uint64_t FrameBegin(uint64_t frame) const { return container_.frame_offsets[frame]; }
  uint64_t FrameEnd(uint64_t frame) const { return container_.frame_offsets[frame + 1]; }

  // Frames of which no byte lies in [begin, end).
  uint64_t Outside(uint64_t begin, uint64_t end) const {
    uint64_t count = 0;
    for (uint64_t i = 0; i < container_.frame_count(); ++i) {
      count += FrameEnd(i) <= begin || FrameBegin(i) >= end;
    }
    return count;
  }

  void Scratch(Bytes& bytes, uint64_t begin, uint64_t size) {
    for (uint64_t i = begin; i < std::min<uint64_t>(begin + size, bytes.size()); ++i) {
      bytes[i] ^= std::byte(0x5a);
    }
  }

  Result<Salvaged> Salvage(const Bytes& bytes) {
    WriteFile(path_, bytes);
    return SalvageArchive(path_);
  }

  // That every page is right or said to be lost; how many are lost that were there.
  uint64_t CheckPages(const GuestMemory& memory) {
    uint64_t lost = 0;
    for (const MemoryRegion& region : memory.regions()) {
      for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
        const PageView is = memory.View(pfn), was = guest_.memory.View(pfn);
        if (is.fate() == PageFate::kDamaged) {
          lost += was.fate() != PageFate::kDamaged;
        } else {
          EXPECT_TRUE(synthetic::SamePage(is, was)) << "page " << pfn.value();
        }
      }
    }
    return lost;
  }

  void ExpectRegistersAndMetadata(const Salvaged& salvaged) {
    ASSERT_TRUE(salvaged.vcpus && salvaged.metadata);
    EXPECT_EQ(*salvaged.vcpus, guest_.vcpus);
    EXPECT_EQ(*salvaged.metadata, guest_.metadata);
  }

  synthetic::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
  SampleGuest guest_ = synthetic::MakeSampleGuest();
  Bytes good_;
  Container container_;
};

TEST_F(SalvageTest, AWholeArchiveIsRecoveredWhole) {
  const auto salvaged = SalvageArchive(path_);
  ASSERT_TRUE(salvaged) << salvaged.error().ToString();
  EXPECT_EQ(CheckPages(*salvaged->memory), 0u);
  EXPECT_EQ(salvaged->frames, container_.frame_count());
  EXPECT_EQ(salvaged->lost_frames, 0u);
  EXPECT_EQ(salvaged->digest, container_.digest);
  EXPECT_EQ(*salvaged->device_state, guest_.device_state);
  ExpectRegistersAndMetadata(*salvaged);
}

TEST_F(SalvageTest, OfAnArchiveThatIsCutOffEveryFrameBeforeTheCutIsRecovered) {
  ASSERT_GE(container_.frame_count(), 10u);
  for (uint64_t cut = FrameEnd(1); cut < good_.size(); cut += 53) {
    SCOPED_TRACE(cut);
    const auto salvaged = Salvage(Bytes(good_.begin(), good_.begin() + ptrdiff_t(cut)));
    ASSERT_TRUE(salvaged) << salvaged.error().ToString();
    EXPECT_EQ(salvaged->frames, Outside(cut, UINT64_MAX));
    EXPECT_TRUE(salvaged->regions_known);
    ExpectRegistersAndMetadata(*salvaged);
    const uint64_t lost = CheckPages(*salvaged->memory);
    if (cut >= FrameEnd(container_.frame_count() - 1)) {
      EXPECT_EQ(lost, 0u);
    }
  }
}

TEST_F(SalvageTest, OfAScratchedArchiveEveryFrameBesideTheScratchIsRecovered) {
  for (uint64_t at = 0; at < good_.size(); at += 97) {
    SCOPED_TRACE(at);
    Bytes bad = good_;
    Scratch(bad, at, 50);
    const auto salvaged = Salvage(bad);
    ASSERT_TRUE(salvaged) << salvaged.error().ToString();
    EXPECT_EQ(salvaged->frames, Outside(at, at + 50));
    ExpectRegistersAndMetadata(*salvaged);
    CheckPages(*salvaged->memory);
  }
}

TEST_F(SalvageTest, OfAnArchiveThatIsBothEveryFrameThatIsLeftIsRecovered) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 100; ++i) {
    const uint64_t cut = FrameEnd(3) + random() % (good_.size() - FrameEnd(3));
    Bytes bad(good_.begin(), good_.begin() + ptrdiff_t(cut));
    const uint64_t at = random() % cut, other = random() % cut;
    Scratch(bad, at, 20);
    Scratch(bad, other, 20);
    uint64_t expected = 0;
    for (uint64_t f = 0; f < container_.frame_count(); ++f) {
      const auto untouched = [&](uint64_t from) {
        return FrameEnd(f) <= from || FrameBegin(f) >= from + 20;
      };
      expected += FrameEnd(f) <= cut && untouched(at) && untouched(other);
    }
    const auto salvaged = Salvage(bad);
    ASSERT_TRUE(salvaged) << salvaged.error().ToString();
    EXPECT_EQ(salvaged->frames, expected) << cut << " " << at << " " << other;
    CheckPages(*salvaged->memory);
  }
}

// A frame of few bytes can have 1024 pages: frames say nothing of how much memory is kept.
TEST_F(SalvageTest, ItsMemoryKeepsSoManyBytesHoweverManyFramesTheyAreOf) {
  constexpr uint64_t kFrames = 3, kPages = 2;
  FrameCompressor compressor(1);
  Bytes file;
  std::vector<IntactFrame> frames;
  for (uint64_t i = 0; i < kFrames; ++i) {
    const uint64_t offset = file.size();
    const Bytes pages(kPages * kPageSize, std::byte(i + 1));
    const auto size = static_cast<uint32_t>(compressor.Compress(pages, file).value());
    frames.push_back({i * kPages, offset, size, kPages});
  }
  WriteFile(path_, file);
  const MemoryRegion region = {Pfn(0), Pfn(kFrames * kPages)};
  const KnownRun run = {{.first = Pfn(0), .pages = kFrames * kPages, .kind = RunKind::kStored}};
  // Room for two frames.
  const SalvagedMemory memory(InputFile::Open(path_).value(), {region}, {run}, frames,
                              2 * kPages * kPageSize);
  const PageView first = memory.View(Pfn(0)), second = memory.View(Pfn(kPages));
  EXPECT_EQ(memory.View(Pfn(0)).data(), first.data());
  EXPECT_EQ(memory.View(Pfn(kPages)).data(), second.data());
  const PageView third = memory.View(Pfn(2 * kPages));
  EXPECT_EQ(memory.View(Pfn(2 * kPages)).data(), third.data());
  // Now it is read again, into other memory, and what was looked at before stays as it was.
  EXPECT_NE(memory.View(Pfn(0)).data(), first.data());
  EXPECT_EQ(memory.View(Pfn(0)).data()[0], std::byte(1));
  EXPECT_EQ(first.data()[0], std::byte(1));
}

TEST_F(SalvageTest, WhatIsNoArchiveIsRefused) {
  EXPECT_FALSE(Salvage(Bytes(100'000, std::byte(7))));
  EXPECT_FALSE(Salvage({}));
  EXPECT_EQ(SalvageArchive(directory_ / "no").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace ktstr::archive
