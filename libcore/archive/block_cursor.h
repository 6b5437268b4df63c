// Walks through all pages of a guest in blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "libcore/archive/page_scan.h"
#include "libcore/archive/writer.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

class BlockCursor {
 public:
  // `filter` may be null. Both must outlive the cursor.
  BlockCursor(const GuestMemory& memory, const PageFilter& filter)
      : memory_(memory), filter_(filter) {}

  // The next block, in ascending order; nothing after the last one.
  std::optional<PageBlock> Next();

 private:
  // What the filter says of that page of the region, and of how many from there on.
  AlikePages AlikeFrom(uint64_t page);
  void NoteReasons(PageBlock& block);

  const GuestMemory& memory_;
  const PageFilter& filter_;
  size_t region_ = 0;
  uint64_t done_ = 0;  // pages of the region that were handed out
  // What the filter said last, and of the pages of the region before which one.
  LeftOutReason reason_ = LeftOutReason::kNone;
  uint64_t alike_end_ = 0;
};

}  // namespace ktstr::archive
