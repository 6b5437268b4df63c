// Whose objects a page of the slab allocator holds (mm/slab.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/memory/memory_map.h"
#include "libcore/walk/memory/page_layout.h"

namespace ktstr {

class SlabPages {
 public:
  // `kernel` must outlive this object. Errors: those of PageLayout::Of and MemoryMap::Of; kNotFound
  // names the member that is not there.
  static Result<SlabPages> Of(const GuestKernel& kernel);

  // The name of the cache, such as "kmalloc-64"; nothing of a page of another use, and of one of
  // which that cannot be read. May be called from several threads at once.
  std::optional<std::string> CacheOf(Pfn pfn) const;
  // The array of all struct pages.
  const MemoryMap& map() const { return map_; }
  uint64_t struct_page_size() const { return layout_.size; }

 private:
  SlabPages(const GuestKernel& kernel, PageLayout layout, MemoryMap map)
      : kernel_(&kernel), layout_(layout), map_(std::move(map)) {}
  // The struct page of the first of the pages that belong together.
  Result<Kva> HeadOf(Pfn pfn) const;
  Result<bool> IsSlab(Kva page) const;

  const GuestKernel* kernel_;
  PageLayout layout_;
  MemoryMap map_;
  uint64_t cache_offset_ = 0;          // of the kmem_cache in struct slab, in bytes
  uint64_t name_offset_ = 0;           // of the name in struct kmem_cache
  std::optional<uint32_t> slab_type_;  // page type of slab pages (6.10 on, 46df8e73a4a3)
  std::optional<uint64_t> slab_flag_;  // before: the bit of PG_slab
};

}  // namespace ktstr
