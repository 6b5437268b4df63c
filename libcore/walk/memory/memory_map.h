// The kernel's memory map: where the struct page of each page frame is (include/linux/mmzone.h,
// SPARSEMEM_VMEMMAP). All struct pages are one array, of which only the parts for memory that
// exists are there, section by section.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

class MemoryMap {
 public:
  // The map for all RAM of the kernel's memory, by VMCOREINFO; `page_size` is that of struct page,
  // in bytes. A section that cannot be read is as one that is not there. Errors: kNotFound (no
  // VMCOREINFO, no memory sections), kUnsupported (not SPARSEMEM_VMEMMAP), kDamaged (impossible
  // numbers), and those of reading the first level.
  static Result<MemoryMap> Of(const GuestKernel& kernel, uint64_t page_size);

  // Whether the frame has a struct page.
  bool Has(Pfn pfn) const {
    const uint64_t section = pfn.value() >> section_shift_;
    return section < present_.size() && present_[section];
  }
  // The address of its struct page.
  Kva PageOf(Pfn pfn) const { return base_ + pfn.value() * page_size_; }
  // The frame of the struct page at `page`; nothing where none begins.
  std::optional<Pfn> FrameOf(Kva page) const;
  // How many frames a section has.
  uint64_t section_pages() const { return uint64_t{1} << section_shift_; }

 private:
  MemoryMap(uint64_t page_size, uint64_t section_shift)
      : page_size_(page_size), section_shift_(section_shift) {}
  Status AddSection(uint64_t number, uint64_t section_mem_map);

  Kva base_;  // struct page of frame 0, were there one
  uint64_t page_size_;
  uint64_t section_shift_;     // a section has 2^that frames
  std::vector<bool> present_;  // by section
};

}  // namespace ktstr
