#include "replay/vmcore/stream_pages.h"

#include <iterator>
#include <utility>

#include "libcore/base/address.h"

namespace ktstr::vmcore {

namespace {

// From one page to the next of the same block: its header and the page.
constexpr uint64_t kStride = sizeof(uint64_t) + kPageSize;

std::optional<uint64_t> Further(std::optional<uint64_t> at, uint64_t pages) {
  return at ? std::optional(*at + pages * kStride) : at;
}

}  // namespace

void StreamPages::Remove(uint64_t page) {
  const auto after = runs_.upper_bound(page);
  if (after == runs_.begin()) return;
  const auto holder = std::prev(after);
  const auto [begin, run] = *holder;
  if (run.end <= page) return;
  if (page + 1 < run.end) {
    runs_.emplace_hint(after, page + 1, Run{run.end, Further(run.at, page + 1 - begin)});
  }
  if (begin == page) {
    runs_.erase(holder);
  } else {
    holder->second.end = page;
  }
}

void StreamPages::Put(uint64_t page, std::optional<uint64_t> at) {
  Remove(page);
  const auto after = runs_.lower_bound(page);
  if (after != runs_.begin()) {
    const auto before = std::prev(after);
    auto& [begin, run] = *before;
    if (run.end == page && Further(run.at, page - begin) == at) {
      run.end = page + 1;
      return;
    }
  }
  runs_.emplace_hint(after, page, Run{page + 1, at});
}

StreamPages::Place StreamPages::Find(uint64_t page) const {
  const auto after = runs_.upper_bound(page);
  if (after == runs_.begin()) return {};
  const auto& [begin, run] = *std::prev(after);
  if (run.end <= page) return {};
  return {.there = true, .at = Further(run.at, page - begin)};
}

}  // namespace ktstr::vmcore
