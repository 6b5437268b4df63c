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
    done_ = 0;
  }
  if (region_ == regions.size()) return std::nullopt;
  PageBlock block;
  block.first = regions[region_].begin + done_;
  const uint64_t left = regions[region_].page_count() - done_;
  const AlikePages alike =
      filter_ ? filter_(block.first, left) : AlikePages{LeftOutReason::kNone, left};
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
      AskAboutEach(alike, block);
    }
  }
  done_ += block.pages;
  return block;
}

// `first` is what the filter has said of the first pages of the block.
void BlockCursor::AskAboutEach(AlikePages first, PageBlock& block) {
  bool all_alike = true;
  for (AlikePages alike = first;;) {
    const uint64_t left = block.pages - block.reasons.size();
    block.reasons.insert(block.reasons.end(), std::min(alike.pages, left), alike.reason);
    all_alike = all_alike && alike.reason == first.reason;
    if (alike.pages >= left) break;
    alike = filter_(block.first + block.reasons.size(), left - alike.pages);
  }
  if (!all_alike) return;
  block.left_out = first.reason;
  block.reasons.clear();
}

}  // namespace ktstr::archive
