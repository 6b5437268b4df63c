// What each of several kernels in one memory says of its pages.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/walk/memory/page_classes.h"

namespace ktstr {

// Where one kernel says that a page is none of its own, it is none: the archive of a crash kernel
// does not keep what the crashed one's programs had.
class AllClasses {
 public:
  // Of `first`, and of every other kernel that has vCPUs or has crashed. (What was left of an
  // earlier one says nothing of memory that has been another's since.) `open` is how `first` was
  // opened. Errors: those of GuestKernel::Open and PageClasses::Read.
  static Result<AllClasses> Read(const GuestKernel& first, const GuestKernelOptions& open);

  // As PageClasses::Of.
  LeftOutReason Of(Pfn pfn) const;
  AlikePages AlikeFrom(Pfn first, uint64_t most) const;
  uint64_t unreadable_pages() const;

 private:
  std::vector<PageClasses> classes_;
};

}  // namespace ktstr
