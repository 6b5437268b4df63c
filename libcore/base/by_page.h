// A byte range taken page by page: neighbours in the address space need not be neighbours in
// memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

// Calls `visit(at, size)` for the part of [begin, begin + size) in each page, in order, up to the
// first error, which is returned. `size` and the visitor's are in bytes.
template <typename Kind, typename Visit>
Status ForEachPage(Address<Kind> begin, uint64_t size, const Visit& visit) {
  while (size > 0) {
    const uint64_t chunk = std::min(size, kPageSize - begin.page_offset());
    KTSTR_TRY(visit(begin, chunk));
    begin += chunk;
    size -= chunk;
  }
  return {};
}

}  // namespace ktstr
