// Compares the memory of two archives of one run, page by page.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analyze/diff/page_contents.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

struct MemoryDifference {
  // Pages of RAM. A page that either archive does not have (left out, damaged, outside its memory)
  // is not comparable, whatever the other one has.
  uint64_t same = 0, changed = 0, not_comparable = 0;
  // The latter by what became of them: "left out, user data", "damaged", …; of both archives the
  // first that does not have it.
  std::map<std::string, uint64_t> not_comparable_by_fate;
  // Of those that changed: all zero before, or after.
  uint64_t was_zero = 0, became_zero = 0;
  // Pages that changed, by the kind of what changed in them; a page in which things of several
  // kinds changed counts for each.
  std::map<std::string, uint64_t> pages_by_kind;
  // Bytes that differ, by kind and name.
  std::map<std::pair<std::string, std::string>, uint64_t> bytes_by_content;
};

// Looks at what either archive stores; what is zero in both costs nothing. `contents` says what is
// where in the second one.
MemoryDifference CompareMemory(const GuestMemory& before, const GuestMemory& after,
                               const PageContents& contents);

}  // namespace ktstr
