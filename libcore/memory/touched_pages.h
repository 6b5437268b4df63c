// Walks memory without looking at what the guest never touched, and without asking about every
// page.
#pragma once

#include <algorithm>
#include <cstdint>

#include "libcore/memory/guest_memory.h"

namespace ktstr {

// Where GuestMemory::NextTouched has nothing to skip it is asked less and less, down to once in 64
// pages, and about each page again once it had. So pages that nobody touched are looked at, which
// makes some memory take up room, only behind as many that somebody did.
class TouchedPages {
 public:
  explicit TouchedPages(const GuestMemory& memory) : memory_(memory) {}

  // The first frame to look at from `from` on, which must lie in a region; the region's end when
  // there is none. To be called with ascending frames.
  Pfn Next(Pfn from) {
    if (from < ask_again_) return from;
    const Pfn next = memory_.NextTouched(from);
    step_ = next == from ? std::min<uint64_t>(2 * step_, kMostPages) : 1;
    ask_again_ = next + step_;
    return next;
  }

 private:
  static constexpr uint64_t kMostPages = 64;

  const GuestMemory& memory_;
  uint64_t step_ = 1;  // pages from one question to the next
  Pfn ask_again_;
};

}  // namespace ktstr
