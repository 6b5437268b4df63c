// First look at a block of pages: which are zero, which are not readable, and the hash of the
// others. May be done on any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

// Pages [first, first + pages) of one region.
struct PageBlock {
  Pfn first;
  uint64_t pages = 0;
  bool untouched = false;  // all zero, by the word of GuestMemory::NextTouched
  // All of it is left out, for this reason.
  LeftOutReason left_out = LeftOutReason::kNone;
  // One per page, where there is a filter and its answers differ.
  std::vector<LeftOutReason> reasons;
};

struct ScannedPage {
  PageFate fate = PageFate::kZero;
  LeftOutReason reason = LeftOutReason::kNone;
  // Of the bytes of a present page, or what HashRelative says where it has an own address.
  uint64_t hash = 0;
  uint64_t own_address = 0;  // of a present page: what OwnAddress says
  // The page before in the block is this one at the address one page lower. It has no hash then.
  bool follows = false;
};

struct ScannedBlock {
  PageBlock block;
  // One per page; none when all are left out for one reason, or are untouched and none is left out.
  std::vector<ScannedPage> pages;
};

// Errors: kOutOfRange when `memory` does not know a page of its own regions.
Result<ScannedBlock> ScanPages(const GuestMemory& memory, PageBlock block);

// Whether all `kPageSize` bytes are zero.
bool IsZeroPage(const std::byte* page);

}  // namespace ktstr::archive
