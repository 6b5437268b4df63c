// The regions of RAM as one sequence of pages: page 0 is the first page of the first region, and so
// on without holes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libcore/memory/guest_memory.h"

namespace ktstr {

class RegionMap {
 public:
  RegionMap() = default;
  // `regions` are sorted, disjoint and not empty.
  explicit RegionMap(std::vector<MemoryRegion> regions) : regions_(std::move(regions)) {
    first_.reserve(regions_.size());
    for (const MemoryRegion& region : regions_) {
      first_.push_back(page_count_);
      page_count_ += region.page_count();
    }
  }

  std::span<const MemoryRegion> regions() const { return regions_; }
  uint64_t page_count() const { return page_count_; }

  // nullptr when `pfn` is not RAM.
  const MemoryRegion* Find(Pfn pfn) const {
    const auto after = std::upper_bound(regions_.begin(), regions_.end(), pfn,
                                        [](Pfn p, const MemoryRegion& r) { return p < r.end; });
    return after == regions_.end() || pfn < after->begin ? nullptr : &*after;
  }

  // Which page of the sequence `pfn` is; nothing when it is not RAM.
  std::optional<uint64_t> IndexOf(Pfn pfn) const {
    const MemoryRegion* region = Find(pfn);
    if (region == nullptr) return std::nullopt;
    return first_[static_cast<size_t>(region - regions_.data())] + (pfn - region->begin);
  }

  // The frame number of page `index` (below page_count()).
  Pfn PfnAt(uint64_t index) const {
    const auto after = std::upper_bound(first_.begin(), first_.end(), index);
    const size_t region = static_cast<size_t>(after - first_.begin()) - 1;
    return regions_[region].begin + (index - first_[region]);
  }

 private:
  std::vector<MemoryRegion> regions_;
  std::vector<uint64_t> first_;  // index of each region's first page
  uint64_t page_count_ = 0;
};

}  // namespace ktstr
