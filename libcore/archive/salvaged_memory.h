// The memory of a damaged archive: runs of pages and the memory frames that are left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "libcore/archive/input_file.h"
#include "libcore/archive/place_record.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

// A memory frame that was found to be intact.
struct IntactFrame {
  uint64_t first_stored = 0;  // the number of its first stored page
  uint64_t offset = 0;        // in the file, in bytes
  uint32_t size = 0;          // in bytes
  uint32_t pages = 0;
};

// A run whose first stored page, if it has one, is known.
struct KnownRun {
  PlacedRun run;
  uint64_t stored = 0;
};

class SalvagedMemory : public GuestMemory {
 public:
  // Runs that overlap an earlier one, or lie outside the regions, are not believed. Of the pages of
  // frames that were looked at, `cache_bytes` are kept: all go when there would be more.
  SalvagedMemory(InputFile file, std::vector<MemoryRegion> regions, std::vector<KnownRun> runs,
                 std::vector<IntactFrame> frames, uint64_t cache_bytes);

  std::span<const MemoryRegion> regions() const override { return regions_; }
  // Of a page that no run tells of, or whose frame is lost: kDamaged.
  PageView View(Pfn pfn) const override;
  // kReadOnly.
  Result<std::byte*> Writable(Pfn pfn) override;

  // Errors: the first one of reading a frame again.
  Status CheckReads() const;

 private:
  using Pages = std::shared_ptr<const std::vector<std::byte>>;

  PageView ViewStored(uint64_t stored) const;
  // nullptr when the frame cannot be read any more.
  Pages PagesOf(size_t frame) const;

  InputFile file_;
  std::vector<MemoryRegion> regions_;
  std::vector<KnownRun> runs_;       // by first page
  std::vector<IntactFrame> frames_;  // by first stored page
  uint64_t cache_bytes_;

  mutable std::mutex mutex_;
  mutable std::unordered_map<size_t, Pages> cache_;  // of the frames looked at last
  mutable uint64_t cached_bytes_ = 0;
  mutable std::optional<Error> failure_;
};

}  // namespace ktstr::archive
