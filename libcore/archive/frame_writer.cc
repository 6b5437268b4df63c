#include "libcore/archive/frame_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"

namespace ktstr::archive {

namespace {

// Pages of one piece of work: some hundred microseconds.
constexpr size_t kBatchPages = 128;

size_t BatchPages(uint32_t pages_per_frame) {
  return std::max<size_t>(kBatchPages, pages_per_frame);
}

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

FrameWriter::FrameWriter(const GuestMemory& memory, OutputFile& file, uint32_t pages_per_frame,
                         int level)
    : memory_(memory), file_(file), pages_per_frame_(pages_per_frame), level_(level) {}

Status FrameWriter::Add(Pfn pfn, WorkerPool& pool) {
  batch_.push_back(pfn);
  if (batch_.size() == BatchPages(pages_per_frame_)) return StartBatch(pool);
  return {};
}

// May be called from several threads at once. Errors: kUnreadable when a page cannot be read.
Result<FrameWriter::CompressedBatch> FrameWriter::CompressPages(
    std::span<const Pfn> pfns) const {
  CompressedBatch batch;
  FrameCompressor& compressor = CompressorOf(level_);
  std::vector<std::byte> pages(pages_per_frame_ * kPageSize);
  while (!pfns.empty()) {
    const auto frame_pfns = pfns.first(std::min<size_t>(pfns.size(), pages_per_frame_));
    const auto frame_pages = std::span(pages).first(frame_pfns.size() * kPageSize);
    KTSTR_TRY(CopyPages(memory_, frame_pfns, frame_pages));
    const size_t begin = batch.bytes.size();
    const size_t size = KTSTR_TRY(compressor.Compress(frame_pages, batch.bytes));
    batch.frames.push_back({static_cast<uint32_t>(size), static_cast<uint32_t>(frame_pages.size()),
                            Checksum(std::span(batch.bytes).subspan(begin))});
    pfns = pfns.subspan(frame_pfns.size());
  }
  return batch;
}

Status FrameWriter::StartBatch(WorkerPool& pool) {
  const size_t most_running = 3 * static_cast<size_t>(pool.threads());
  if (running_.size() >= most_running) KTSTR_TRY(AppendOldest());
  running_.push_back(pool.Run([this, pfns = std::exchange(batch_, {})] {
    return CompressPages(pfns);
  }));
  return {};
}

Status FrameWriter::AppendOldest() {
  const CompressedBatch batch = KTSTR_TRY(running_.front().get());
  running_.pop_front();
  for (const CompressedFrame& frame : batch.frames) {
    entries_.push_back({frame.compressed_size, frame.size});
    checksums_.push_back(frame.checksum);
  }
  return file_.Append(batch.bytes);
}

Status FrameWriter::Finish(WorkerPool& pool) {
  if (!batch_.empty()) KTSTR_TRY(StartBatch(pool));
  while (!running_.empty()) KTSTR_TRY(AppendOldest());
  return {};
}

}  // namespace ktstr::archive
