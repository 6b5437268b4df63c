// Compresses pages of an archive for a kdump file, many at a time, on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/export_plan.h"

namespace ktstr::vmcore {

struct CompressedPages {
  struct Page {
    uint32_t size = 0, flags = 0;  // as a descriptor has them
  };
  std::vector<Page> pages;       // one for each that was asked for
  std::vector<std::byte> bytes;  // theirs, one behind the other
};

// A page that does not get smaller is taken as it is. Errors: those of ViewForExport, kIo (no
// memory), kUnsupported (no zlib).
Result<CompressedPages> CompressPages(const FrozenMachine& machine, const std::vector<Pfn>& pages,
                                      PageCompression compression);

}  // namespace ktstr::vmcore
