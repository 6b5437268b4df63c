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
  const uint64_t untouched = std::min(memory_.NextTouched(block.first) - block.first, left);
  block.untouched = untouched > 0;
  // With a filter there is an answer per page to keep, so even an untouched block is kept small.
  block.pages = untouched > 0 && !filter_ ? untouched : std::min(left, kBlockPages);
  if (untouched > 0) block.pages = std::min(block.pages, untouched);
  if (filter_) {
    block.reasons.reserve(block.pages);
    for (uint64_t i = 0; i < block.pages; ++i) block.reasons.push_back(filter_(block.first + i));
    const LeftOutReason first = block.reasons.front();
    if (std::ranges::count(block.reasons, first) == static_cast<ptrdiff_t>(block.pages)) {
      block.left_out = first;
      block.reasons.clear();
    }
  }
  done_ += block.pages;
  return block;
}

}  // namespace ktstr::archive
