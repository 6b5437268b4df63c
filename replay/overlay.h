// Pages that were written to after the capture: private copies that stand before those of the
// archive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libcore/base/address.h"
#include "replay/lazy_array.h"

namespace ktstr {

// Pages by index (see RegionMap). Safe from several threads at once.
class Overlay {
 public:
  explicit Overlay(uint64_t page_count) : pages_(page_count) {}
  ~Overlay();

  // Pages in the overlay.
  uint64_t size() const { return count_.load(std::memory_order_relaxed); }

  // kPageSize bytes, valid as long as the overlay; nullptr when the page is not in it.
  std::byte* Find(uint64_t index) const {
    if (size() == 0) return nullptr;
    const Slot* slot = pages_.Find(index);
    return slot == nullptr ? nullptr : slot->load(std::memory_order_acquire);
  }

  // Puts a copy of `bytes` (kPageSize of them) there, unless the page is there already; returns the
  // page.
  std::byte* Add(uint64_t index, std::span<const std::byte, kPageSize> bytes);

  // The first page at or after `index` that is in the overlay; the number of all pages when there
  // is none.
  uint64_t FindFrom(uint64_t index) const;

 private:
  using Slot = std::atomic<std::byte*>;

  LazyArray<Slot> pages_;
  std::atomic<uint64_t> count_ = 0;
};

}  // namespace ktstr
