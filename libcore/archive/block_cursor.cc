#include "libcore/archive/block_cursor.h"

#include <algorithm>

namespace ktstr::archive {

namespace {
constexpr uint64_t kBlockPages = 512;
}

std::optional<PageBlock> BlockCursor::Next() {
  const auto regions = memory_.regions();
  if (region_ < regions.size() && done_ == regions[region_].page_count()) {
    ++region_;
    done_ = alike_end_ = 0;
  }
  if (region_ == regions.size()) return std::nullopt;
  PageBlock block;
  block.first = regions[region_].begin + done_;
  const uint64_t left = regions[region_].page_count() - done_;
  const AlikePages alike = AlikeFrom(done_);
  if (alike.reason != LeftOutReason::kNone && alike.pages >= std::min(left, kBlockPages)) {
    block.left_out = alike.reason;
    block.pages = alike.pages;
  } else {
    const uint64_t untouched = std::min(memory_.NextTouched(block.first) - block.first, left);
    block.untouched = untouched > 0;
    block.pages = block.untouched ? untouched : std::min(left, kBlockPages);
    if (alike.reason == LeftOutReason::kNone && alike.pages >= std::min(block.pages, kBlockPages)) {
      block.pages = std::min(block.pages, alike.pages);
    } else {
      // An answer for each page is kept, so that even an untouched block has to be small.
      block.pages = std::min(block.pages, kBlockPages);
      NoteReasons(block);
    }
  }
  done_ += block.pages;
  return block;
}

// To find out how far an answer holds can take as long as it is: it is kept until it is used up.
AlikePages BlockCursor::AlikeFrom(uint64_t page) {
  const MemoryRegion& region = memory_.regions()[region_];
  if (!filter_) return {LeftOutReason::kNone, region.page_count() - page};
  if (page >= alike_end_) {
    const AlikePages answer = filter_(region.begin + page, region.page_count() - page);
    reason_ = answer.reason;
    alike_end_ = page + answer.pages;
  }
  return {reason_, alike_end_ - page};
}

void BlockCursor::NoteReasons(PageBlock& block) {
  const LeftOutReason first = AlikeFrom(done_).reason;
  bool all_alike = true;
  while (block.reasons.size() < block.pages) {
    const AlikePages alike = AlikeFrom(done_ + block.reasons.size());
    const uint64_t left = block.pages - block.reasons.size();
    block.reasons.insert(block.reasons.end(), std::min(alike.pages, left), alike.reason);
    all_alike = all_alike && alike.reason == first;
  }
  if (!all_alike) return;
  block.left_out = first;
  block.reasons.clear();
}

}  // namespace ktstr::archive
