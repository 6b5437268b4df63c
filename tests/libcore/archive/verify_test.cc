// VerifyArchive names the part that a flipped bit lies in.
#include "libcore/archive/verify.h"

#include <gtest/gtest.h>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/container.h"

namespace ktstr::archive {
namespace {

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    WriteSample(path_, synthetic::MakeSampleGuest());
    good_ = ReadFile(path_);
    container_ = ReadContainer(InputFile::Open(path_).value()).value();
  }

  Verification WithFlip(size_t offset, int bit) {
    Bytes bad = good_;
    bad[offset] ^= static_cast<std::byte>(1 << bit);
    WriteFile(path_, bad);
    return VerifyArchive(path_).value();
  }

  synthetic::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
  Bytes good_;
  Container container_;
};

TEST_F(VerifyTest, AWholeArchiveIsWhole) {
  const Verification verification = VerifyArchive(path_).value();
  EXPECT_TRUE(verification.is_whole());
  EXPECT_EQ(verification.frames, container_.frame_count());
  EXPECT_EQ(verification.sections, 6u);
}

TEST_F(VerifyTest, NamesTheFrameInWhichABitHasFlipped) {
  for (uint64_t frame = 0; frame < container_.frame_count(); ++frame) {
    for (uint64_t at = container_.frame_offsets[frame]; at < container_.frame_offsets[frame + 1];
         at += 97) {
      const Verification found = WithFlip(at, int(at % 8));
      ASSERT_EQ(found.damaged.size(), 1u) << at;
      EXPECT_EQ(found.damaged[0].frame, frame);
      EXPECT_EQ(found.damaged[0].offset, container_.frame_offsets[frame]);
    }
  }
}

TEST_F(VerifyTest, NamesTheSectionInWhichABitHasFlipped) {
  for (const DirectoryEntry& section : container_.sections) {
    for (uint64_t at = section.offset; at < section.offset + section.frame_size; at += 13) {
      const Verification found = WithFlip(at, int(at % 8));
      ASSERT_EQ(found.damaged.size(), 1u) << at;
      EXPECT_EQ(found.damaged[0].section, section.type);
    }
  }
}

TEST_F(VerifyTest, FindsAFlipInWhatLeadsToTheRest) {
  const uint64_t end = container_.sections.back().offset + container_.sections.back().frame_size;
  for (uint64_t at = end; at < good_.size(); ++at) {
    const Verification found = WithFlip(at, int(at % 8));
    ASSERT_EQ(found.damaged.size(), 1u) << at;
    EXPECT_FALSE(found.damaged[0].frame || found.damaged[0].section);
  }
}

}  // namespace
}  // namespace ktstr::archive
