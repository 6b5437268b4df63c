#include "libcore/archive/pack/archive_file.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <numeric>

#include "libcore/archive/compression_level.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

Result<ArchiveFile> ArchiveFile::Open(const std::string& path) {
  InputFile file = KTSTR_TRY(InputFile::Open(path));
  Container container = KTSTR_TRY(ReadContainer(file));
  return ArchiveFile(std::move(file), std::move(container));
}

uint64_t ArchiveFile::PageCount(uint64_t frame) const {
  return container_.DecompressedBytes(frame) / kPageSize;
}

uint64_t ArchiveFile::CompressedSize(uint64_t frame) const {
  return container_.CompressedBytes(frame);
}

Result<std::vector<std::byte>> ArchiveFile::ReadBytes(uint64_t begin, uint64_t end) const {
  std::vector<std::byte> bytes(end - begin);
  KTSTR_TRY(file_.ReadAt(begin, bytes));
  return bytes;
}

Result<ArchiveFile::CompressedFrame> ArchiveFile::ReadCompressed(uint64_t frame) const {
  const std::vector<std::byte> bytes =
      KTSTR_TRY(ReadBytes(container_.frame_offsets[frame], container_.frame_offsets[frame + 1]));
  const size_t size = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  const auto pages_end = bytes.begin() + ptrdiff_t(ZSTD_isError(size) ? bytes.size() : size);
  return CompressedFrame{{bytes.begin(), pages_end}, {pages_end, bytes.end()}};
}

Result<std::vector<std::byte>> ArchiveFile::ReadPages(uint64_t frame) const {
  const CompressedFrame compressed = KTSTR_TRY(ReadCompressed(frame));
  std::vector<std::byte> pages(PageCount(frame) * kPageSize);
  if (const Status read = DecompressFrame(compressed.pages, pages); !read) {
    return Fail(InFile(file_, Error(read.error().code(), fmt::format("memory frame {}: {}", frame,
                                                                     read.error().message()))));
  }
  return pages;
}

Result<Digest> ArchiveFile::HashWhole() const {
  DigestStream digest;
  constexpr uint64_t kChunk = 1 << 20;
  for (uint64_t at = 0; at < file_.size(); at += kChunk) {
    const auto bytes = KTSTR_TRY(ReadBytes(at, std::min(at + kChunk, file_.size())));
    digest.Add(bytes);
  }
  return digest.Get();
}

Result<std::optional<int>> ArchiveFile::FindLevel() const {
  struct Sample {
    std::vector<std::byte> pages, compressed;
  };
  constexpr uint64_t kSamples = 5;
  const uint64_t count = std::min(kSamples, frame_count());
  std::vector<Sample> samples;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t frame = i * frame_count() / count;
    samples.push_back({KTSTR_TRY(ReadPages(frame)), KTSTR_TRY(ReadCompressed(frame)).pages});
  }
  // The levels that people use come first. One that gives the same bytes serves as well as the one
  // that was used.
  std::vector<int> levels = {kKernelPagesLevel, 1, 19, 3};
  for (int level = kLeastLevel; level <= ZSTD_maxCLevel(); ++level) levels.push_back(level);
  for (const int level : levels) {
    FrameCompressor compressor(level);
    bool fits = true;
    for (size_t i = 0; i < samples.size() && fits; ++i) {
      std::vector<std::byte> again;
      KTSTR_TRY(compressor.Compress(samples[i].pages, again));
      fits = again == samples[i].compressed;
    }
    if (fits) return level;
  }
  return std::nullopt;
}

}  // namespace ktstr::archive
