#include "libcore/archive/frame_writer.h"

#include <algorithm>
#include <utility>

namespace ktstr::archive {

namespace {

// Pages of one piece of work: some hundred microseconds.
constexpr size_t kBatchPages = 128;

size_t BatchPages(uint32_t pages_per_frame) {
  return std::max<size_t>(kBatchPages, pages_per_frame);
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

Status FrameWriter::StartBatch(WorkerPool& pool) {
  const size_t most_running = 3 * static_cast<size_t>(pool.threads());
  if (running_.size() >= most_running) KTSTR_TRY(AppendOldest());
  running_.push_back(pool.Run([this, pfns = std::exchange(batch_, {})] {
    return CompressPages(memory_, pfns, pages_per_frame_, level_);
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
