// PageCensus: which pages occur in many archives, each known by the digest of its bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

// A page's index: how many others were met before it.
using PageIndex = uint32_t;

// Takes 24 bytes for each distinct page, and 5 to 11 for finding it again.
class PageCensus {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX >> 1;
  static constexpr uint32_t kNoNumber = UINT32_MAX;

  struct Use {
    uint32_t first_user : 31 = kNobody;
    uint32_t shared : 1 = 0;  // by a second user
    uint32_t number = kNoNumber;
  };

  // The page with that digest, entered if need be. Errors: kUnsupported (2^32 pages, 16 TiB).
  Result<PageIndex> Find(const Digest& digest);
  // Notes that the user of that number, below kNobody, has the page.
  void NoteUser(PageIndex page, uint32_t user);
  Use& use(PageIndex page) { return uses_[page]; }
  const Use& use(PageIndex page) const { return uses_[page]; }
  size_t size() const { return digests_.size(); }

 private:
  void Grow();
  // Where the digest's index stands, or would.
  size_t SlotOf(const Digest& digest) const;

  // In pieces: nothing is copied when they grow.
  std::deque<Digest> digests_;
  std::deque<Use> uses_;
  // Open addressing with linear probing; a power of two, of which at most three quarters are used.
  std::vector<PageIndex> slots_;
};

// The pages of one archive, in their order. Those that were met for the first time have indices
// that follow one another, and those of an archive like it mostly do so again.
class PageRuns {
 public:
  void Add(PageIndex page);
  std::vector<PageIndex> Pages() const;

 private:
  struct Run {
    PageIndex first;
    uint32_t count;
  };
  std::vector<Run> runs_;
};

}  // namespace ktstr::archive
