// The unit of compression work: some memory frames' worth of pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

struct CompressedFrame {
  uint32_t compressed_size = 0;  // in bytes
  uint32_t size = 0;             // in bytes, decompressed
  uint64_t checksum = 0;         // of the compressed bytes
};

struct CompressedBatch {
  std::vector<std::byte> bytes;  // the frames, one after the other
  std::vector<CompressedFrame> frames;
};

// Compresses the pages at `pfns`, `pages_per_frame` to a frame. May be called from several threads
// at once. Errors: kUnreadable when a page cannot be read.
Result<CompressedBatch> CompressPages(const GuestMemory& memory, std::span<const Pfn> pfns,
                                      uint32_t pages_per_frame, int level);

}  // namespace ktstr::archive
