#include "libcore/archive/pack/page_census.h"

#include <cstring>

namespace ktstr::archive {

namespace {
constexpr PageIndex kEmptySlot = UINT32_MAX;
constexpr size_t kFirstSlots = 1024;
}  // namespace

size_t PageCensus::SlotOf(const Digest& digest) const {
  uint64_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (slots_[slot] != kEmptySlot && digests_[slots_[slot]] != digest) slot = (slot + 1) & mask;
  return slot;
}

void PageCensus::Grow() {
  const size_t count = slots_.empty() ? kFirstSlots : 2 * slots_.size();
  // The indices are all known: no two tables at a time.
  slots_ = std::vector<PageIndex>();
  slots_.assign(count, kEmptySlot);
  for (PageIndex page = 0; page < digests_.size(); ++page) slots_[SlotOf(digests_[page])] = page;
}

Result<PageIndex> PageCensus::Find(const Digest& digest) {
  if (4 * (digests_.size() + 1) > 3 * slots_.size()) Grow();
  PageIndex& slot = slots_[SlotOf(digest)];
  if (slot != kEmptySlot) return slot;
  if (digests_.size() >= kEmptySlot) {
    return Fail(ErrorCode::kUnsupported, "the archives hold more than 2^32 different pages");
  }
  slot = PageIndex(digests_.size());
  digests_.push_back(digest);
  uses_.emplace_back();
  return slot;
}

void PageCensus::NoteUser(PageIndex page, uint32_t user) {
  Use& use = uses_[page];
  if (use.first_user == kNobody) {
    use.first_user = user & kNobody;
  } else if (use.first_user != user) {
    use.shared = 1;
  }
}

void PageRuns::Add(PageIndex page) {
  if (!runs_.empty() && page - runs_.back().first == runs_.back().count) {
    ++runs_.back().count;
  } else {
    runs_.push_back({page, 1});
  }
}

std::vector<PageIndex> PageRuns::Pages() const {
  std::vector<PageIndex> pages;
  for (const Run& run : runs_) {
    for (uint32_t i = 0; i < run.count; ++i) pages.push_back(run.first + i);
  }
  return pages;
}

}  // namespace ktstr::archive
