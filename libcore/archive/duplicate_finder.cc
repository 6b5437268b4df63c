#include "libcore/archive/duplicate_finder.h"

#include <cstring>

#include "libcore/archive/relocation.h"

namespace ktstr::archive {

namespace {

constexpr uint32_t kEmpty = UINT32_MAX;
constexpr size_t kFirstSlots = 1 << 12;

}  // namespace

DuplicateFinder::DuplicateFinder(const GuestMemory& memory)
    : memory_(memory), hashes_(kFirstSlots), slots_(kFirstSlots, kEmpty) {}

Result<std::optional<DuplicateFinder::Match>> DuplicateFinder::FindOrStore(Pfn pfn, uint64_t hash,
                                                                           uint64_t own_address) {
  if (2 * stored_.size() >= slots_.size()) Grow();
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  std::optional<PageView> page;
  for (; slots_[slot] != kEmpty; slot = (slot + 1) & mask) {
    if (hashes_[slot] != hash) continue;
    if (!page) page = memory_.View(pfn);
    if (!page->readable()) return Fail(GuestMemory::UnreadableError(pfn.pa(), *page));
    const Pfn candidate = stored_[slots_[slot]];
    const PageView other = memory_.View(candidate);
    // Of a machine that runs, it may have changed since it was stored.
    const bool gone = other.fate() == PageFate::kNotCaptured;
    if (!other.readable() && !gone) {
      return Fail(GuestMemory::UnreadableError(candidate.pa(), other));
    }
    if (!other.readable()) continue;
    const uint64_t other_own = own_address != 0 ? OwnAddress(other.data()) : 0;
    const bool equal = own_address != 0
                           ? EqualButForAddress(page->data(), own_address, other.data(), other_own)
                           : std::memcmp(page->data(), other.data(), kPageSize) == 0;
    if (equal) return std::optional(Match{slots_[slot], other_own});
  }
  hashes_[slot] = hash;
  slots_[slot] = static_cast<uint32_t>(stored_.size());
  stored_.push_back(pfn);
  return std::optional<Match>();
}

void DuplicateFinder::Grow() {
  std::vector<uint64_t> hashes(2 * hashes_.size());
  std::vector<uint32_t> slots(2 * slots_.size(), kEmpty);
  const size_t mask = slots.size() - 1;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i] == kEmpty) continue;
    size_t slot = hashes_[i] & mask;
    while (slots[slot] != kEmpty) slot = (slot + 1) & mask;
    hashes[slot] = hashes_[i];
    slots[slot] = slots_[i];
  }
  hashes_ = std::move(hashes);
  slots_ = std::move(slots);
}

}  // namespace ktstr::archive
