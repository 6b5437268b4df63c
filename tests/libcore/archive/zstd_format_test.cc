// What other programs rely on: that an archive is a Zstandard stream with a seek table. The decoder
// here shares nothing with ours but libzstd.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr::archive {
namespace {

using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;

struct Frame {
  size_t offset, size, decompressed_offset, decompressed_size;
};

uint32_t Word(const Bytes& bytes, size_t at) {
  uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | std::to_integer<uint8_t>(bytes.at(at + i));
  return word;
}

// By the specification of the seekable format.
std::vector<Frame> SeekTableOf(const Bytes& file) {
  EXPECT_EQ(Word(file, file.size() - 4), 0x8F92EAB1u);
  EXPECT_EQ(file[file.size() - 5], std::byte(0));
  const size_t count = Word(file, file.size() - 9);
  const size_t table = file.size() - 9 - count * 8;
  EXPECT_EQ(Word(file, table - 8), 0x184D2A5Eu);
  EXPECT_EQ(Word(file, table - 4), count * 8 + 9);
  std::vector<Frame> frames;
  size_t offset = 0, decompressed = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = Word(file, table + i * 8), plain = Word(file, table + i * 8 + 4);
    frames.push_back({offset, size, decompressed, plain});
    offset += size;
    decompressed += plain;
  }
  EXPECT_EQ(offset, table - 8);
  return frames;
}

// The distinct non-zero pages of the guest in the order in which they were first met. Those that
// are one at several addresses are one.
Bytes StoredPages(const GuestMemory& memory) {
  Bytes pages;
  std::vector<Bytes> seen;
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView view = memory.View(pfn);
      if (!view.readable()) continue;
      Bytes page(view.bytes().begin(), view.bytes().end());
      const uint64_t own = OwnAddress(page.data());
      const bool known = std::ranges::any_of(seen, [&](const Bytes& other) {
        const uint64_t other_own = OwnAddress(other.data());
        return page == other || (own != 0 && other_own != 0 &&
                                 EqualButForAddress(page.data(), own, other.data(), other_own));
      });
      if (page == Bytes(kPageSize) || known) continue;
      pages.insert(pages.end(), page.begin(), page.end());
      seen.push_back(std::move(page));
    }
  }
  return pages;
}

class ZstdFormatTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
  SampleGuest guest_ = synthetic::MakeSampleGuest();
};

TEST_F(ZstdFormatTest, TheZstdCommandAcceptsItAndGivesTheStoredPages) {
  WriteSample(path_, guest_);
  ASSERT_EQ(std::system(fmt::format("zstd -qt '{}'", path_.native()).c_str()), 0);
  const auto plain = directory_ / "plain";
  ASSERT_EQ(
      std::system(fmt::format("zstd -qdc '{}' > '{}'", path_.native(), plain.native()).c_str()), 0);
  EXPECT_EQ(ReadFile(plain), StoredPages(guest_.memory));
}

TEST_F(ZstdFormatTest, TheZstdCommandAcceptsAnArchiveWithoutPages) {
  WriteSample(path_, {synthetic::BufferMemory(kPageSize), {}, {}, {}});
  EXPECT_EQ(std::system(fmt::format("zstd -qt '{}'", path_.native()).c_str()), 0);
}

TEST_F(ZstdFormatTest, TheSeekTableLeadsToEveryFrame) {
  WriteSample(path_, guest_);
  const Bytes file = ReadFile(path_);
  const Bytes expected = StoredPages(guest_.memory);
  size_t memory_frames = 0, decompressed = 0;
  for (const Frame& frame : SeekTableOf(file)) {
    const size_t size = ZSTD_findFrameCompressedSize(file.data() + frame.offset, frame.size);
    ASSERT_FALSE(ZSTD_isError(size));
    decompressed += frame.decompressed_size;
    if ((Word(file, frame.offset) & 0xFFFFFFF0) == 0x184D2A50) {
      EXPECT_EQ(frame.decompressed_size, 0u);
      EXPECT_EQ(size, frame.size);
      continue;
    }
    ++memory_frames;
    // Its place record, which a reader that wants no more than the frame does not come to.
    EXPECT_EQ(
        size + ZSTD_findFrameCompressedSize(file.data() + frame.offset + size, frame.size - size),
        frame.size);
    EXPECT_EQ(ZSTD_getFrameContentSize(file.data() + frame.offset, frame.size),
              frame.decompressed_size);
    // Frame_Header_Descriptor, bit 2: a content checksum follows.
    EXPECT_EQ(file[frame.offset + 4] & std::byte(4), std::byte(4));
    Bytes plain(frame.decompressed_size);
    ASSERT_EQ(ZSTD_decompress(plain.data(), plain.size(), file.data() + frame.offset, frame.size),
              plain.size());
    EXPECT_EQ(std::memcmp(plain.data(), expected.data() + frame.decompressed_offset, plain.size()),
              0);
  }
  EXPECT_EQ(decompressed, expected.size());
  EXPECT_EQ(memory_frames, (expected.size() / kPageSize + 7) / 8);
}

}  // namespace
}  // namespace ktstr::archive
