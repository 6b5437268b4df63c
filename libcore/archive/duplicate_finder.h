// Tells whether a page equals one that is stored already. A hash finds the candidate, the bytes
// decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

class DuplicateFinder {
 public:
  // `memory` must outlive the finder: it is where stored pages are compared.
  explicit DuplicateFinder(const GuestMemory& memory);

  struct Match {
    uint64_t stored = 0;       // the stored page
    uint64_t own_address = 0;  // where that lies, as OwnAddress says
  };
  // The stored page that equals the page at `pfn`, whose hash is `hash`; nothing when there is
  // none: the page is then the next stored page. Where the page has an own address (not 0), the
  // hash is relative to it, and a page at any address is a match. Errors: kUnreadable when a page
  // that could be read before no longer can. A stored page that is no longer captured is no match
  // (HostSnapshot).
  Result<std::optional<Match>> FindOrStore(Pfn pfn, uint64_t hash, uint64_t own_address);

  // The frame number of each stored page.
  const std::vector<Pfn>& stored() const { return stored_; }

 private:
  void Grow();

  const GuestMemory& memory_;
  std::vector<Pfn> stored_;
  // Open addressing with linear probing; kEmpty marks a free slot.
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> slots_;
};

}  // namespace ktstr::archive
