#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <tuple>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;
using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;

class RoundTripTest : public testing::Test {
 protected:
  std::unique_ptr<ArchiveReader> WriteAndOpen(const SampleGuest& guest,
                                              const ArchiveWriteOptions& options = {}) {
    WriteSample(path_, guest, options);
    auto archive = ArchiveReader::Open(path_);
    if (!archive) ADD_FAILURE() << archive.error().ToString();
    return archive ? std::move(*archive) : nullptr;
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
};

TEST_F(RoundTripTest, EverythingOfAGuestComesBack) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  const auto archive = WriteAndOpen(guest);
  ASSERT_NE(archive, nullptr);
  EXPECT_EQ(WrongAnswer(*archive, guest), "");
  EXPECT_EQ(archive->ReadDeviceState(), guest.device_state);
  EXPECT_EQ(archive->FindDamagedFrames(), std::vector<uint64_t>());
  EXPECT_EQ(archive->path(), path_);
  EXPECT_EQ(archive->file_size(), std::filesystem::file_size(path_));
  for (uint64_t frame = 0; frame < archive->frame_count(); ++frame) {
    Bytes bytes(archive->pages_in_frame(frame) * kPageSize);
    EXPECT_TRUE(archive->ReadFrame(frame, bytes));
  }
}

TEST_F(RoundTripTest, EveryFateIsKeptAndCounted) {
  const auto archive = WriteAndOpen(synthetic::MakeSampleGuest());
  ASSERT_NE(archive, nullptr);
  const auto fate = [&](uint64_t pfn) {
    const PageRecord record = archive->Lookup(Pfn(pfn));
    return std::tuple(record.fate, record.reason, record.duplicate);
  };
  using enum PageFate;
  using enum LeftOutReason;
  EXPECT_EQ(fate(1), std::tuple(kPresent, kNone, false));
  EXPECT_EQ(fate(0), std::tuple(kZero, kNone, false));   // never touched
  EXPECT_EQ(fate(13), std::tuple(kZero, kNone, false));  // touched, but zero
  EXPECT_EQ(fate(17), std::tuple(kPresent, kNone, true));
  EXPECT_EQ(fate(30), std::tuple(kNotCaptured, kFree, false));
  EXPECT_EQ(fate(32), std::tuple(kNotCaptured, kPageCache, false));
  EXPECT_EQ(fate(33), std::tuple(kNotCaptured, kUserData, false));
  EXPECT_EQ(fate(34), std::tuple(kNotCaptured, kDevice, false));
  EXPECT_EQ(fate(35), std::tuple(kDamaged, kNone, false));
  EXPECT_EQ(fate(0x40), std::tuple(kOutside, kNone, false));
  EXPECT_EQ(fate(0xfffff), std::tuple(kOutside, kNone, false));
  EXPECT_EQ(fate(0x100000), std::tuple(kPresent, kNone, false));
  EXPECT_EQ(fate(0x100020), std::tuple(kOutside, kNone, false));
  EXPECT_EQ(fate(UINT64_MAX), std::tuple(kOutside, kNone, false));

  std::map<std::tuple<PageFate, LeftOutReason, bool>, uint64_t> counts;
  for (const PageCount& count : archive->CountPages()) {
    counts[{count.fate, count.reason, count.duplicate}] = count.pages;
  }
  EXPECT_EQ(counts, (std::map<std::tuple<PageFate, LeftOutReason, bool>, uint64_t>{
                        {{kPresent, kNone, false}, 16},
                        {{kPresent, kNone, true}, 12},
                        {{kZero, kNone, false}, 62},
                        {{kNotCaptured, kFree, false}, 1},
                        {{kNotCaptured, kPageCache, false}, 2},
                        {{kNotCaptured, kUserData, false}, 1},
                        {{kNotCaptured, kDevice, false}, 1},
                        {{kDamaged, kNone, false}, 1}}));
}

TEST_F(RoundTripTest, ADuplicateSharesTheStoredPageOfALowerFrameNumber) {
  const auto archive = WriteAndOpen(synthetic::MakeSampleGuest());
  ASSERT_NE(archive, nullptr);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(archive->Lookup(Pfn(16 + i)).stored_page, archive->Lookup(Pfn(2 + i)).stored_page);
    EXPECT_EQ(archive->Lookup(Pfn(20 + i)).stored_page, archive->Lookup(Pfn(7)).stored_page);
  }
  EXPECT_EQ(archive->Lookup(Pfn(0x100003)).stored_page, archive->Lookup(Pfn(9)).stored_page);
}

TEST_F(RoundTripTest, NextNotZeroSkipsZeroPagesUpToTheRegionsEnd) {
  const auto archive = WriteAndOpen(synthetic::MakeSampleGuest());
  ASSERT_NE(archive, nullptr);
  EXPECT_EQ(archive->NextNotZero(Pfn(0)), Pfn(1));
  EXPECT_EQ(archive->NextNotZero(Pfn(5)), Pfn(5));
  EXPECT_EQ(archive->NextNotZero(Pfn(24)), Pfn(30));
  EXPECT_EQ(archive->NextNotZero(Pfn(36)), Pfn(0x3f));
  EXPECT_EQ(archive->NextNotZero(Pfn(0x100004)), Pfn(0x100008));
  EXPECT_EQ(archive->NextNotZero(Pfn(0x10000c)), Pfn(0x10001f));
}

TEST_F(RoundTripTest, RandomGuestsComeBackWithEveryFrameSizeAndLevel) {
  uint64_t seed = 1;
  for (const uint32_t pages_per_frame : {1u, 2u, 8u, 64u, 1024u}) {
    for (const int level : {-5, 0, 1, 9}) {
      SampleGuest guest{synthetic::MakeRandomMemory(1500, ++seed), {}, {}, {}};
      ArchiveWriteOptions options;
      options.overwrite = true;
      options.pages_per_frame = pages_per_frame;
      options.compression_level = level;
      const auto archive = WriteAndOpen(guest, options);
      ASSERT_NE(archive, nullptr);
      EXPECT_EQ(archive->pages_per_frame(), pages_per_frame);
      EXPECT_EQ(WrongAnswer(*archive, guest), "");
    }
  }
}

TEST_F(RoundTripTest, AGuestOfNothingIsAnArchiveToo) {
  SampleGuest none{BufferMemory(std::vector<MemoryRegion>{}), {}, {}, {}};
  SampleGuest zeros{BufferMemory(64 * kPageSize), {}, {}, {}};
  for (const SampleGuest* guest : {&none, &zeros}) {
    ArchiveWriteOptions options;
    options.overwrite = true;
    const auto archive = WriteAndOpen(*guest, options);
    ASSERT_NE(archive, nullptr);
    EXPECT_EQ(archive->frame_count(), 0u);
    EXPECT_EQ(WrongAnswer(*archive, *guest), "");
    EXPECT_EQ(archive->FindDamagedFrames(), std::vector<uint64_t>());
  }
}

TEST_F(RoundTripTest, DeviceStateThatShrinksToNextToNothingComesBack) {
  SampleGuest guest = synthetic::MakeSampleGuest();
  guest.device_state.assign(20'000'000, std::byte(0));
  const auto archive = WriteAndOpen(guest);
  ASSERT_NE(archive, nullptr);
  EXPECT_EQ(archive->ReadDeviceState(), guest.device_state);
}

}  // namespace
}  // namespace ktstr::archive
