#include "replay/overlay.h"

#include <cstring>
#include <memory>

namespace ktstr {

namespace {

struct alignas(64) PageBuffer {
  std::byte bytes[kPageSize];
};

bool IsTaken(const std::atomic<std::byte*>& slot) {
  return slot.load(std::memory_order_acquire) != nullptr;
}

}  // namespace

Overlay::~Overlay() {
  for (uint64_t i = FindFrom(0); i < pages_.size(); i = FindFrom(i + 1)) {
    delete reinterpret_cast<PageBuffer*>(pages_.Find(i)->load(std::memory_order_relaxed));
  }
}

std::byte* Overlay::Add(uint64_t index, std::span<const std::byte, kPageSize> bytes) {
  auto page = std::make_unique<PageBuffer>();
  std::memcpy(page->bytes, bytes.data(), kPageSize);
  Slot& slot = pages_.At(index);
  std::byte* present = nullptr;
  // Counted first: a page that can be found is never in an overlay that says it is empty.
  count_.fetch_add(1, std::memory_order_relaxed);
  if (slot.compare_exchange_strong(present, page->bytes, std::memory_order_acq_rel)) {
    return page.release()->bytes;
  }
  count_.fetch_sub(1, std::memory_order_relaxed);
  return present;
}

uint64_t Overlay::FindFrom(uint64_t index) const {
  if (size() == 0) return pages_.size();
  return pages_.FindFrom(index, IsTaken);
}

}  // namespace ktstr
