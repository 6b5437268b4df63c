// How a kernel lays out its struct page, and how it marks there what a page is used for.
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

struct PageLayout {
  uint64_t size = 0;  // of struct page, in bytes

  // Where members of struct page are, in bytes from its begin. Those of 8 bytes:
  uint64_t flags = 0, compound_head = 0, mapping = 0, private_data = 0;
  // and those of 4. page_type shares its place with _mapcount, which is -1 of an unmapped page.
  uint64_t page_type = 0, refcount = 0;
  uint64_t pcp_list = 0;  // a list_head

  // Bits of flags. PG_head is set in the first page of a compound one.
  uint64_t lru = 0, swapbacked = 0, head = 0;
  // One of these: a page of the kernel's, or one that nobody should look at (PG_reserved,
  // PG_hwpoison, and PG_slab where the kernel has it: it became a page type in 6.10,
  // 46df8e73a4a3).
  uint64_t kept = 0;

  // What page_type holds in the first page of a free block, and in that of a hugetlb page (where
  // that is a page type: since 6.10, d99e3140a4d3).
  uint32_t buddy_type = 0;
  std::optional<uint32_t> hugetlb_type;
  // Before that: what the second page of a hugetlb one holds as compound_dtor (1 byte), and where.
  struct Destructor {
    uint64_t offset;
    uint8_t value;
  };
  std::optional<Destructor> hugetlb_destructor;
  uint64_t orders = 0;  // blocks of free pages have orders below that

  // The struct page of the first page of the compound one that the struct page at `page` follows
  // in; nothing when it is no tail. `compound_head` is what it has as that member. Bit 0 says tail.
  // The rest is the first page's address, or from 7.1 on, where struct page's size is a power of
  // two, a mask that makes that address of the tail's own (compound_info,
  // include/linux/mm_types.h).
  static std::optional<Kva> HeadOf(Kva page, uint64_t compound_head);

  // By BTF; the page types by the kernel's VMCOREINFO, since they are no types of C
  // (PAGE_*_MAPCOUNT_VALUE, kernel/vmcore_info.c). Errors: kNotFound names what is not there;
  // kUnsupported where slab pages cannot be told; those of GuestKernel::types.
  static Result<PageLayout> Of(const GuestKernel& kernel);
};

}  // namespace ktstr
