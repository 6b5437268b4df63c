// Archives whose checksums are right and whose contents are not: made by someone, not by chance.
// They may say anything, but must not crash the reader or make it allocate without bounds.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <random>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/bytes.h"
#include "libcore/archive/directory.h"
#include "libcore/archive/header.h"
#include "libcore/archive/section_writer.h"
#include "libcore/base/output_file.h"

namespace ktstr::archive {
namespace {

using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;

class HostileSectionTest : public testing::Test {
 protected:
  HostileSectionTest() { WriteSample(good_, guest_); }

  // The error of opening the sample with the payload of section `type` replaced.
  std::string ErrorWith(SectionType type, const Bytes& replacement) {
    Reseal(good_, bad_, [&](SectionType section, Bytes& payload) {
      if (section == type) payload = replacement;
    });
    const std::string error = OpenError(bad_);
    const std::string prefix = bad_.native() + " is damaged: ";
    return error.starts_with(prefix) ? error.substr(prefix.size()) : error;
  }

  TemporaryDirectory directory_;
  std::filesystem::path good_ = directory_ / "good.kts";
  std::filesystem::path bad_ = directory_ / "bad.kts";
  SampleGuest guest_ = synthetic::MakeSampleGuest();
};

// Reads whatever can be read.
void ReadAll(const ArchiveReader& archive) {
  Bytes pages;
  for (uint64_t frame = 0; frame < archive.frame_count(); ++frame) {
    pages.resize(archive.pages_in_frame(frame) * kPageSize);
    (void)archive.ReadFrame(frame, pages);
  }
  uint64_t looked_up = 0;
  for (const MemoryRegion& region : archive.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end && ++looked_up < 1000; pfn = pfn + 1) {
      const PageRecord record = archive.Lookup(pfn);
      if (record.fate == PageFate::kPresent) {
        ASSERT_LT(record.stored_page / archive.pages_per_frame(), archive.frame_count());
      }
      ASSERT_GE(archive.NextNotZero(pfn), pfn);
    }
  }
  (void)archive.CountPages();
  (void)archive.ReadDeviceState();
}

TEST_F(HostileSectionTest, TheResealedSampleItselfIsGood) {
  Reseal(good_, bad_, [](SectionType, Bytes&) {});
  const auto archive = ArchiveReader::Open(bad_);
  ASSERT_TRUE(archive) << archive.error().ToString();
  EXPECT_EQ(WrongAnswer(**archive, guest_), "");
}

TEST_F(HostileSectionTest, AnEmptySectionIsRefusedWhereSomethingIsNeeded) {
  EXPECT_EQ(ErrorWith(SectionType::kMetadata, {}), "the metadata is not a JSON object");
  EXPECT_EQ(ErrorWith(SectionType::kVcpus, {}),
            "the vCPU registers are 0 bytes, not 0 records of 0 bytes");
  EXPECT_EQ(ErrorWith(SectionType::kRegions, {}),
            "run 0 of the page table goes beyond the end of memory");
  EXPECT_EQ(ErrorWith(SectionType::kPageTable, {}),
            "the page table says more runs than it has bytes");
  EXPECT_EQ(ErrorWith(SectionType::kFrames, {}),
            "the section of memory frames is not for 2 of them");
  EXPECT_EQ(ErrorWith(SectionType::kDeviceState, {}), "");
}

TEST_F(HostileSectionTest, FrameSizesThatDoNotFitTheSeekTableAreRefused) {
  const auto frames = [](uint32_t pages_per_frame, uint64_t stored_pages) {
    ByteSink sink;
    sink.Put<uint32_t>(pages_per_frame);
    sink.Put<uint32_t>(0);
    sink.Put<uint64_t>(stored_pages);
    sink.Put<uint64_t>(0);
    sink.Put<uint64_t>(0);
    return std::move(sink).Take();
  };
  EXPECT_EQ(ErrorWith(SectionType::kFrames, frames(0, 16)),
            "0 is no valid number of pages in a memory frame");
  EXPECT_EQ(ErrorWith(SectionType::kFrames, frames(2048, 16)),
            "2048 is no valid number of pages in a memory frame");
  EXPECT_EQ(ErrorWith(SectionType::kFrames, frames(16, 16)),
            "2 memory frames cannot hold 16 stored pages, 16 in a frame");
  EXPECT_EQ(ErrorWith(SectionType::kFrames, frames(8, 17)),
            "2 memory frames cannot hold 17 stored pages, 8 in a frame");
  EXPECT_EQ(ErrorWith(SectionType::kFrames, frames(8, 16 + (uint64_t{1} << 52))),
            "2 memory frames cannot hold 4503599627370512 stored pages, 8 in a frame");
}

TEST_F(HostileSectionTest, AMissingSectionIsNamed) {
  OutputFile output = OutputFile::Create(bad_, OutputFile::Existing::kKeep).value();
  ASSERT_TRUE(output.Append(EncodeHeader(kMajorVersion, kMinorVersion)));
  SectionWriter sections(output, {{kHeaderSize, 0}});
  ASSERT_TRUE(sections.Finish());
  ASSERT_TRUE(output.Publish());
  EXPECT_EQ(OpenError(bad_), bad_.native() + " is damaged: it has no section for the metadata");
}

TEST_F(HostileSectionTest, TwoSectionsOfOneTypeAreRefused) {
  OutputFile output = OutputFile::Create(bad_, OutputFile::Existing::kKeep).value();
  ASSERT_TRUE(output.Append(EncodeHeader(kMajorVersion, kMinorVersion)));
  SectionWriter sections(output, {{kHeaderSize, 0}});
  ASSERT_TRUE(sections.Add(SectionType::kMetadata, {}));
  ASSERT_TRUE(sections.Add(SectionType::kMetadata, {}));
  ASSERT_TRUE(sections.Finish());
  ASSERT_TRUE(output.Publish());
  EXPECT_EQ(OpenError(bad_), bad_.native() + " is damaged: there are two sections META");
}

// One directory entry with the given sizes, in an otherwise valid file.
std::string ErrorOfBomb(const std::filesystem::path& path, uint64_t payload_size) {
  const Bytes stored(100);
  OutputFile output = OutputFile::Create(path, OutputFile::Existing::kReplace).value();
  EXPECT_TRUE(output.Append(EncodeHeader(kMajorVersion, kMinorVersion)));
  ByteSink frame;
  frame.Put<uint32_t>(kSkippableMagic);
  frame.Put<uint32_t>(104);
  frame.Put<uint32_t>(static_cast<uint32_t>(SectionType::kMetadata));
  frame.PutBytes(stored);
  EXPECT_TRUE(output.Append(frame.bytes()));
  Directory directory;
  directory.sections = {{SectionType::kMetadata, SectionEncoding::kZstd, kHeaderSize, frame.size(),
                         payload_size, Checksum(frame.bytes())}};
  const auto seek_table =
      EncodeSeekTable(std::vector<SeekEntry>{{kHeaderSize, 0},
                                             {static_cast<uint32_t>(frame.size()), 0},
                                             {static_cast<uint32_t>(DirectorySize(1)), 0}});
  directory.seek_table_checksum = Checksum(seek_table);
  EXPECT_TRUE(output.Append(EncodeDirectory(directory)));
  EXPECT_TRUE(output.Append(seek_table));
  EXPECT_TRUE(output.Publish());
  return OpenError(path).substr(path.native().size() + 1);
}

TEST_F(HostileSectionTest, ASectionThatClaimsToDecompressToTooMuchIsRefusedUnread) {
  for (const uint64_t size : {uint64_t{1} << 20, uint64_t{1} << 40, UINT64_MAX}) {
    EXPECT_EQ(ErrorOfBomb(bad_, size),
              fmt::format("is damaged: section META does not decode to {} bytes", size));
  }
}

TEST_F(HostileSectionTest, RandomPayloadsUnderRightChecksumsDoNoHarm) {
  std::mt19937_64 random(21);
  int opened = 0;
  for (int i = 0; i < 1500; ++i) {
    const auto chosen = random() % 6;
    uint64_t section = 0;
    Reseal(good_, bad_, [&](SectionType, Bytes& payload) {
      if (section++ != chosen) return;
      for (uint64_t edits = 1 + random() % 3; edits > 0 && !payload.empty(); --edits) {
        const size_t at = random() % payload.size();
        switch (random() % 4) {
          case 0:
            payload[at] = static_cast<std::byte>(random());
            break;
          case 1:
            payload[at] = static_cast<std::byte>(0xff);
            break;
          case 2:
            payload.resize(at);
            break;
          default:
            payload.insert(payload.begin() + static_cast<ptrdiff_t>(at),
                           static_cast<std::byte>(random()));
        }
      }
    });
    const auto archive = ArchiveReader::Open(bad_);
    if (!archive) continue;
    ++opened;
    ReadAll(**archive);
  }
  EXPECT_GT(opened, 0);
}

}  // namespace
}  // namespace ktstr::archive
