#include "capture/copy_estimate.h"

#include <cstring>
#include <utility>

namespace ktstr {

namespace {

constexpr uint64_t kStep = 64;

// Whether most of what is not zero differs from what the page before has there: the struct pages of
// free memory, which are equal but for their addresses, differ in two words of eight.
bool IsItsOwn(const PageView& page, const PageView& before) {
  uint64_t words = 0, own = 0;
  for (size_t at = 0; at < kPageSize; at += sizeof(uint64_t)) {
    uint64_t word = 0, word_before = 0;
    std::memcpy(&word, page.data() + at, sizeof word);
    if (before.readable()) std::memcpy(&word_before, before.data() + at, sizeof word);
    words += word != 0;
    own += word != word_before && word != 0;
  }
  return 2 * own > words;
}

}  // namespace

uint64_t EstimateCopies(const GuestMemory& memory) {
  uint64_t found = 0;
  PageView before = PageView::Outside();
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + kStep) {
      pfn = memory.NextTouched(pfn);
      if (pfn >= region.end) break;
      PageView page = memory.View(pfn);
      if (!page.readable()) continue;
      if (IsItsOwn(page, before)) ++found;
      before = std::move(page);
    }
  }
  return found * kStep * kPageSize;
}

}  // namespace ktstr
