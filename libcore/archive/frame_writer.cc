#include "libcore/archive/frame_writer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/writer.h"

namespace ktstr::archive {

namespace {

// Pages of one piece of work: some hundred microseconds.
constexpr size_t kBatchPages = kCopyBufferBytes / kPageSize;

size_t BatchPages(uint32_t pages_per_frame) {
  return std::max<size_t>(kBatchPages, pages_per_frame);
}

// Of the opening as much as the records of one batch have room for, unless its pages do not
// compress; what has none then is in the sections only.
constexpr uint64_t kOpeningOfBatch = 64 << 10;

OpeningPiece OpeningAt(std::span<const std::byte> opening, uint64_t offset) {
  const uint64_t left = opening.size() - std::min<uint64_t>(offset, opening.size());
  if (left == 0) return {};
  return {offset, opening.size(), opening.subspan(offset, std::min(left, kOpeningOfBatch))};
}

std::shared_ptr<BufferPool> CopiesOf(uint64_t buffer_size, std::shared_ptr<BufferPool> given) {
  if (given != nullptr && given->buffer_size() == buffer_size) return given;
  return std::make_shared<BufferPool>(buffer_size, BufferPool::PageSize::kSmall);
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

}  // namespace

FrameWriter::FrameWriter(const GuestMemory& memory, OutputFile& file, uint32_t pages_per_frame,
                         int level, PlaceLog& places, std::vector<std::byte> opening,
                         uint64_t copy_bytes, std::shared_ptr<BufferPool> copies)
    : memory_(memory),
      file_(file),
      pages_per_frame_(pages_per_frame),
      level_(level),
      places_(places),
      opening_(std::move(opening)),
      copies_(CopiesOf(BatchPages(pages_per_frame) * kPageSize, std::move(copies))),
      most_running_copies_(copy_bytes / (BatchPages(pages_per_frame) * kPageSize)),
      batch_{.first_stored = 0,
             .pages = {},
             .places = {},
             .opening = OpeningAt(opening_, 0),
             .copy = nullptr} {}

Status FrameWriter::Add(Pfn pfn, WorkerPool& pool) {
  batch_.pages.push_back(pfn);
  if (batch_.pages.size() % pages_per_frame_ == 0) batch_.places.push_back(places_.Take());
  if (batch_.pages.size() == BatchPages(pages_per_frame_)) return StartBatch(pool);
  return {};
}

// May be called from several threads at once, as Compress. Errors: kUnreadable when a page cannot
// be read.
Status FrameWriter::CopyPages(Batch& batch) {
  batch.copy = copies_->Take();
  std::byte* to = batch.copy.get();
  for (const Pfn pfn : batch.pages) {
    const PageView view = memory_.View(pfn);
    if (!view.readable()) return Fail(GuestMemory::UnreadableError(pfn.pa(), view));
    std::memcpy(to, view.data(), kPageSize);
    to += kPageSize;
  }
  return {};
}

Result<FrameWriter::CompressedBatch> FrameWriter::Compress(Batch batch) const {
  CompressedBatch compressed;
  FrameCompressor& compressor = CompressorOf(level_);
  std::vector<PlacedRun> runs;  // the frame's, and those that found no room before
  std::span<const std::byte> pages(batch.copy.get(), batch.pages.size() * kPageSize);
  for (const std::vector<PlacedRun>& own : batch.places) {
    const auto frame = pages.first(std::min<size_t>(pages.size(), pages_per_frame_ * kPageSize));
    const size_t begin = compressed.bytes.size();
    const size_t size = KTSTR_TRY(compressor.Compress(frame, compressed.bytes));
    const size_t room = ZSTD_compressBound(frame.size()) + kFrameSlack - size;
    runs.insert(runs.end(), own.begin(), own.end());
    AppendPlaceRecord(batch.first_stored, room, runs, batch.opening, compressed.bytes);
    const auto whole = std::span(compressed.bytes).subspan(begin);
    compressed.frames.push_back({static_cast<uint32_t>(whole.size()),
                                 static_cast<uint32_t>(frame.size()), Checksum(whole)});
    batch.first_stored += frame.size() / kPageSize;
    pages = pages.subspan(frame.size());
  }
  return compressed;
}

Status FrameWriter::StartBatch(WorkerPool& pool) {
  const size_t most_running =
      std::max(3 * static_cast<size_t>(pool.threads()), most_running_copies_);
  KTSTR_TRY(AppendReady());
  // Nothing is compressed while the guest waits, unless its memory may not be had as copies alone.
  if (most_running_copies_ > 0) pool.HoldLater(running_.size() < most_running_copies_ / 2);
  if (running_.size() >= most_running) KTSTR_TRY(AppendOldest());
  const uint64_t next_stored = batch_.first_stored + batch_.pages.size();
  const uint64_t next_opening = batch_.opening.offset + batch_.opening.bytes.size();
  Batch batch =
      std::exchange(batch_, Batch{next_stored, {}, {}, OpeningAt(opening_, next_opening), nullptr});
  auto result = std::make_shared<std::promise<Result<CompressedBatch>>>();
  running_.push_back(result->get_future());
  // What is thrown (there is no more memory) is for who asks for the result.
  const auto settle = [result](const auto& work) {
    try {
      work();
    } catch (...) {
      result->set_exception(std::current_exception());
    }
  };
  copying_.push_back(pool.Run([this, &pool, result, settle, batch = std::move(batch)]() mutable {
    settle([&] {
      if (Status copied = CopyPages(batch); !copied) {
        result->set_value(Fail(std::move(copied).error()));
        return;
      }
      auto compress = [this, result, settle, batch = std::move(batch)]() mutable {
        settle([&] { result->set_value(Compress(std::move(batch))); });
      };
      if (most_running_copies_ == 0) return compress();
      std::ignore = pool.Run(std::move(compress), WorkerPool::Urgency::kLater);
    });
  }));
  return {};
}

Status FrameWriter::AppendReady() {
  constexpr auto kNow = std::chrono::seconds(0);
  while (!copying_.empty() && copying_.front().wait_for(kNow) == std::future_status::ready) {
    copying_.pop_front();
  }
  while (!running_.empty() && running_.front().wait_for(kNow) == std::future_status::ready) {
    KTSTR_TRY(AppendOldest());
  }
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

Status FrameWriter::FinishReading(WorkerPool& pool) {
  const size_t pages = batch_.pages.size();
  if (pages % pages_per_frame_ != 0) batch_.places.push_back(places_.Take());
  if (pages > 0) KTSTR_TRY(StartBatch(pool));
  for (const std::future<void>& copy : std::exchange(copying_, {})) copy.wait();
  pool.HoldLater(false);
  return {};
}

Status FrameWriter::Finish() {
  while (!running_.empty()) KTSTR_TRY(AppendOldest());
  return {};
}

}  // namespace ktstr::archive
