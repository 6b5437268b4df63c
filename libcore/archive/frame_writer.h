// Takes stored pages in order, has them compressed by the pool, and appends the memory frames to
// the file in the same order. Holds a bounded number of pages at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "libcore/archive/place_record.h"
#include "libcore/archive/seek_table.h"
#include "libcore/archive/worker_pool.h"
#include "libcore/base/buffer_pool.h"
#include "libcore/base/output_file.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

class FrameWriter {
 public:
  // All must outlive the writer, and `pool` must be destroyed before it.
  // `places` is where the caller notes what becomes of each page, before it adds it. `opening` goes
  // into the place records of the first frames.
  // Pages are copied out of memory before what else there is to do, as long as copies that are not
  // compressed yet take no more than `copy_bytes`. They are put into `copies` where that has
  // buffers of the right size, and may be nullptr.
  FrameWriter(const GuestMemory& memory, OutputFile& file, uint32_t pages_per_frame, int level,
              PlaceLog& places, std::vector<std::byte> opening, uint64_t copy_bytes,
              std::shared_ptr<BufferPool> copies);

  // The page at `pfn` is the next stored page, and noted in the log. Errors: kIo, kUnreadable.
  Status Add(Pfn pfn, WorkerPool& pool);
  // No page follows. Waits until nothing needs the memory any more. Errors: as Add.
  Status FinishReading(WorkerPool& pool);
  // Waits for all frames and appends them. Errors: as Add.
  Status Finish();

  // Of all memory frames so far appended, in order.
  const std::vector<SeekEntry>& entries() const { return entries_; }
  const std::vector<uint64_t>& checksums() const { return checksums_; }

 private:
  // The unit of compression work: some memory frames' worth of pages.
  struct Batch {
    uint64_t first_stored = 0;  // number of its first page
    std::vector<Pfn> pages;
    std::vector<std::vector<PlacedRun>> places;  // of each frame
    OpeningPiece opening;                        // for the records of this batch
    std::shared_ptr<std::byte[]> copy;           // of the pages
  };

  struct CompressedFrame {
    uint32_t compressed_size = 0;  // in bytes, with its place record
    uint32_t size = 0;             // in bytes, decompressed
    uint64_t checksum = 0;         // of the compressed bytes and the record
  };

  struct CompressedBatch {
    std::vector<std::byte> bytes;  // the frames, one after the other
    std::vector<CompressedFrame> frames;
  };

  Status StartBatch(WorkerPool& pool);
  Status CopyPages(Batch& batch);
  Status AppendReady();
  Result<CompressedBatch> Compress(Batch batch) const;
  Status AppendOldest();

  const GuestMemory& memory_;
  OutputFile& file_;
  const uint32_t pages_per_frame_;
  const int level_;
  PlaceLog& places_;
  const std::vector<std::byte> opening_;
  const std::shared_ptr<BufferPool> copies_;
  const size_t most_running_copies_;  // batches
  Batch batch_;
  // One for each batch that is being copied or was.
  std::deque<std::future<void>> copying_;
  std::deque<std::future<Result<CompressedBatch>>> running_;
  std::vector<SeekEntry> entries_;
  std::vector<uint64_t> checksums_;
};

}  // namespace ktstr::archive
