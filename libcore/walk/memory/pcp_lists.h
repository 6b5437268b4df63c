// Free pages that the buddy allocator does not know of: each CPU keeps some per zone, in lists of
// its own (struct per_cpu_pages, mm/page_alloc.c).
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/memory/memory_map.h"
#include "libcore/walk/memory/page_layout.h"

namespace ktstr {

// 2^order free page frames.
struct FreeBlock {
  Pfn first;
  uint64_t order;

  friend bool operator==(const FreeBlock&, const FreeBlock&) = default;
};

// The blocks of all CPUs' lists. Lists of huge pages are left out, and so is all that cannot be
// read: a CPU may have been stopped in the middle of changing a list. Nothing here is proof: ask
// the struct page.
std::vector<FreeBlock> FindPcpBlocks(const GuestKernel& kernel, const PageLayout& layout,
                                     const MemoryMap& map);

}  // namespace ktstr
