// Which pages of a kernel's memory are none of the kernel's own: free ones, file contents, user
// data. A capture may leave them out.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/page.h"
#include "libcore/walk/memory/memory_map.h"
#include "libcore/walk/memory/page_layout.h"

namespace ktstr {

// What every page frame is used for, by its struct page. A page is called anything but the kernel's
// only where its struct page proves it:
// - free: in a block of the buddy allocator or in a CPU's list of free pages, and without a user;
// - page cache: on the LRU lists, with a mapping of a file;
// - user data: with an anonymous mapping; on the LRU lists, with a mapping and swap-backed (shared
//   memory, and with it all of tmpfs); or hugetlb.
// Everything else is the kernel's: slab, page tables, stacks, vmalloc, per-CPU and reserved memory,
// BPF maps that user space has mapped, and whatever is in doubt or in the middle of a change.
class PageClasses {
 public:
  // Reads all struct pages of a kernel that stands still: 1/64 of its memory. Errors: those of
  // PageLayout::Of and MemoryMap::Of.
  static Result<PageClasses> Read(const GuestKernel& kernel);
  // The same with a layout found before.
  static Result<PageClasses> Read(const GuestKernel& kernel, const PageLayout& layout);

  // kNone of a page of the kernel's, and of a frame outside RAM.
  LeftOutReason Of(Pfn pfn) const;
  // The same of the pages from `first` on, of which at least one and at most `most` are alike.
  AlikePages AlikeFrom(Pfn first, uint64_t most) const;
  // RAM whose struct page could not be read although the kernel has one, in pages. They count as
  // the kernel's.
  uint64_t unreadable_pages() const { return unreadable_pages_; }

 private:
  struct Region {
    MemoryRegion frames;
    std::vector<LeftOutReason> reasons;
  };

  std::vector<Region> regions_;
  uint64_t unreadable_pages_ = 0;
};

}  // namespace ktstr
