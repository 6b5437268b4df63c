// The pages of another tool's dump as guest memory, read a block at a time and kept as long as
// there is room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "libcore/archive/region_map.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::vmcore {

// Frames are read so many at a time: those whose numbers differ in the low bits alone.
inline constexpr uint64_t kBlockPages = 16;

struct PageBlock {
  std::array<PageFate, kBlockPages> fates;
  std::array<LeftOutReason, kBlockPages> reasons;  // of those that are kNotCaptured
  alignas(64) std::array<std::byte, kBlockPages * kPageSize> bytes;

  std::span<std::byte, kPageSize> page(uint64_t index) {
    return std::span<std::byte, kPageSize>(bytes.data() + index * kPageSize, kPageSize);
  }
};

// Pages of which a dump has no bytes, and why.
struct AbsentPages {
  MemoryRegion pages;
  PageFate fate = PageFate::kNotCaptured;  // or kDamaged
  LeftOutReason reason = LeftOutReason::kNone;
};

class DumpMemory : public GuestMemory {
 public:
  explicit DumpMemory(std::vector<MemoryRegion> regions);
  ~DumpMemory() override;

  std::span<const MemoryRegion> regions() const override { return region_map_.regions(); }
  // A page that the dump left out is kNotCaptured, of the reason kExcluded where SetAbsent does not
  // say another; one that should be there and cannot be read is kDamaged.
  PageView View(Pfn pfn) const override;
  // Errors: kReadOnly.
  Result<std::byte*> Writable(Pfn pfn) override;

  // What became of pages that the dump does not have; ascending. Before the first View.
  void SetAbsent(std::vector<AbsentPages> absent) { absent_ = std::move(absent); }

  // Whether the dump has the page's bytes, as far as it says itself.
  virtual bool Has(Pfn pfn) const = 0;
  // Why the first page that could not be read could not; nothing so far.
  std::optional<Error> failure() const;

 protected:
  // Reads page `pfn` of a region, which the dump has, into `out`. May be called from several
  // threads at once.
  virtual Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const = 0;
  // Fills a block whose first frame is `first`; frames outside of regions are kOutside. This one
  // goes page by page.
  virtual void ReadBlock(Pfn first, PageBlock& block) const;
  void Note(Error error) const;

 private:
  void FillAbsent(Pfn pfn, uint64_t index, PageBlock& block) const;

  struct Slot {
    std::mutex mutex;
    uint64_t number = ~uint64_t{0};
    std::shared_ptr<const PageBlock> block;
  };

  RegionMap region_map_;
  std::vector<AbsentPages> absent_;
  std::unique_ptr<Slot[]> slots_;
  mutable std::mutex failure_mutex_;
  mutable std::optional<Error> failure_;
};

}  // namespace ktstr::vmcore
