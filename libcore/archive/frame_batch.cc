#include "libcore/archive/frame_batch.h"

#include <algorithm>
#include <cstring>

#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"

namespace ktstr::archive {

namespace {

// A context costs more to set up than a small frame to compress: each thread keeps one.
FrameCompressor& CompressorOf(int level) {
  thread_local int own_level = level;
  thread_local FrameCompressor compressor(level);
  if (own_level != level) {
    compressor = FrameCompressor(level);
    own_level = level;
  }
  return compressor;
}

Status CopyPages(const GuestMemory& memory, std::span<const Pfn> pfns, std::span<std::byte> out) {
  for (size_t i = 0; i < pfns.size(); ++i) {
    const PageView view = memory.View(pfns[i]);
    if (!view.readable()) return Fail(GuestMemory::UnreadableError(pfns[i].pa(), view));
    std::memcpy(out.data() + i * kPageSize, view.data(), kPageSize);
  }
  return {};
}

}  // namespace

Result<CompressedBatch> CompressPages(const GuestMemory& memory, std::span<const Pfn> pfns,
                                      uint32_t pages_per_frame, int level) {
  CompressedBatch batch;
  FrameCompressor& compressor = CompressorOf(level);
  std::vector<std::byte> pages(pages_per_frame * kPageSize);
  while (!pfns.empty()) {
    const auto frame_pfns = pfns.first(std::min<size_t>(pfns.size(), pages_per_frame));
    const auto frame_pages = std::span(pages).first(frame_pfns.size() * kPageSize);
    KTSTR_TRY(CopyPages(memory, frame_pfns, frame_pages));
    const size_t begin = batch.bytes.size();
    const size_t size = KTSTR_TRY(compressor.Compress(frame_pages, batch.bytes));
    batch.frames.push_back({static_cast<uint32_t>(size), static_cast<uint32_t>(frame_pages.size()),
                            Checksum(std::span(batch.bytes).subspan(begin))});
    pfns = pfns.subspan(frame_pfns.size());
  }
  return batch;
}

}  // namespace ktstr::archive
