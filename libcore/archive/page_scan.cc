#include "libcore/archive/page_scan.h"

#include <cstring>
#include <utility>

#include "libcore/archive/checksum.h"

namespace ktstr::archive {

namespace {

ScannedPage ScanPage(const PageView& view) {
  switch (view.fate()) {
    case PageFate::kPresent:
      if (IsZeroPage(view.data())) return {PageFate::kZero};
      return {PageFate::kPresent, LeftOutReason::kNone, Checksum(view.bytes())};
    case PageFate::kNotCaptured:
      return {PageFate::kNotCaptured, view.left_out_reason()};
    default:
      return {view.fate()};
  }
}

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
  const bool has_answers = !block.untouched || !block.reasons.empty();
  ScannedBlock scanned = {std::move(block), {}};
  scanned.pages.resize(has_answers ? scanned.block.pages : 0);
  // Up to here memory is untouched, and looking at it would touch it.
  const Pfn block_end = scanned.block.first + scanned.block.pages;
  Pfn untouched_end = scanned.block.untouched ? block_end : Pfn(0);
  Pfn touched_end = scanned.block.first;
  for (uint64_t i = 0; i < scanned.pages.size(); ++i) {
    ScannedPage& page = scanned.pages[i];
    const Pfn pfn = scanned.block.first + i;
    if (!scanned.block.reasons.empty() && scanned.block.reasons[i] != LeftOutReason::kNone) {
      page = {PageFate::kNotCaptured, scanned.block.reasons[i]};
      continue;
    }
    if (pfn < untouched_end) continue;
    const PageView view = memory.View(pfn);
    if (view.fate() == PageFate::kOutside) {
      return Fail(GuestMemory::UnreadableError(pfn.pa(), view));
    }
    page = ScanPage(view);
    // Where zeros begin, untouched memory may begin.
    if (page.fate == PageFate::kZero && i + 1 < scanned.pages.size() && pfn + 1 >= touched_end) {
      untouched_end = memory.NextTouched(pfn + 1);
      touched_end = untouched_end < block_end ? memory.TouchedEnd(untouched_end) : block_end;
    }
  }
  return scanned;
}

}  // namespace ktstr::archive
