#include "libcore/archive/page_scan.h"

#include <cstring>
#include <utility>

#include "libcore/archive/checksum.h"
#include "libcore/archive/relocation.h"
#include "libcore/memory/touched_pages.h"

namespace ktstr::archive {

namespace {

// Looks at pages that follow one another.
class PageScanner {
 public:
  ScannedPage Scan(const PageView& view) {
    ScannedPage page = {view.fate(), view.left_out_reason()};
    if (page.fate == PageFate::kPresent && IsZeroPage(view.data())) page.fate = PageFate::kZero;
    if (page.fate == PageFate::kPresent) {
      ScanPresent(view, page);
    } else {
      own_ = 0;
    }
    return page;
  }
  // Of the next page nothing is asked.
  void Skip() { own_ = 0; }

 private:
  void ScanPresent(const PageView& view, ScannedPage& page) {
    // All pages that follow are compared with one, which is in the CPU's cache then.
    // (Behind the last page of all none follows.)
    if (own_ != 0) own_ += kPageSize;
    if (own_ != 0) {
      page.follows = EqualButForAddress(first_.data(), first_own_, view.data(), own_);
      if (page.follows) {
        page.own_address = own_;
        return;
      }
    }
    own_ = page.own_address = OwnAddress(view.data());
    if (own_ == 0) {
      page.hash = Checksum(view.bytes());
      return;
    }
    page.hash = HashRelative(view.data(), own_);
    first_ = view;
    first_own_ = own_;
  }

  uint64_t own_ = 0;  // of the page before; 0 when it has none
  // Of the run of pages that the one before belongs to, when that has an own address.
  PageView first_ = PageView::Zero();
  uint64_t first_own_ = 0;
};

}  // namespace

bool IsZeroPage(const std::byte* page) {
  // A page that holds anything mostly shows it early; a step is long enough to be vectorized.
  constexpr size_t kStep = 32;
  uint64_t words[kStep];
  for (size_t offset = 0; offset < kPageSize; offset += sizeof(words)) {
    std::memcpy(words, page + offset, sizeof(words));
    uint64_t any = 0;
    for (const uint64_t word : words) any |= word;
    if (any != 0) return false;
  }
  return true;
}

Result<ScannedBlock> ScanPages(const GuestMemory& memory, PageBlock block) {
  const bool left_out = block.left_out != LeftOutReason::kNone;
  const bool has_answers = !left_out && (!block.untouched || !block.reasons.empty());
  ScannedBlock scanned = {std::move(block), {}};
  scanned.pages.resize(has_answers ? scanned.block.pages : 0);
  // Up to here memory is untouched, and looking at it would touch it.
  const Pfn block_end = scanned.block.first + scanned.block.pages;
  Pfn untouched_end = scanned.block.untouched ? block_end : Pfn(0);
  TouchedPages touched(memory);
  PageScanner scanner;
  for (uint64_t i = 0; i < scanned.pages.size(); ++i) {
    ScannedPage& page = scanned.pages[i];
    const Pfn pfn = scanned.block.first + i;
    if (!scanned.block.reasons.empty() && scanned.block.reasons[i] != LeftOutReason::kNone) {
      page = {PageFate::kNotCaptured, scanned.block.reasons[i]};
      scanner.Skip();
      continue;
    }
    if (pfn < untouched_end) {
      scanner.Skip();
      continue;
    }
    const PageView view = memory.View(pfn);
    if (view.fate() == PageFate::kOutside) {
      return Fail(GuestMemory::UnreadableError(pfn.pa(), view));
    }
    page = scanner.Scan(view);
    // Where zeros begin, untouched memory may begin.
    if (page.fate == PageFate::kZero && i + 1 < scanned.pages.size()) {
      untouched_end = touched.Next(pfn + 1);
    }
  }
  return scanned;
}

}  // namespace ktstr::archive
