// Guest memory in which a fuzzer changes words: what a guest can do to mislead who reads it.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "libcore/memory/guest_memory.h"

namespace ktstr::fuzz {

// `base` with private copies of pages that were changed, and a list of those that were looked at.
// To be changed while nobody reads.
class MutatedMemory : public GuestMemory {
 public:
  explicit MutatedMemory(const GuestMemory& base) : base_(base) {}

  std::span<const MemoryRegion> regions() const override { return base_.regions(); }
  Pfn NextTouched(Pfn from) const override { return base_.NextTouched(from); }
  PageView View(Pfn pfn) const override {
    if (recording_) {
      const std::lock_guard lock(mutex_);
      seen_.insert(pfn);
    }
    if (const auto found = changed_.find(pfn.value()); found != changed_.end()) {
      return found->second == nullptr ? PageView::NotCaptured(LeftOutReason::kUserData)
                                      : PageView::Present(found->second->data());
    }
    return base_.View(pfn);
  }
  // Read only, for readers.
  Result<std::byte*> Writable(Pfn) override {
    return Fail(ErrorCode::kReadOnly, "a fuzzer changes memory by itself");
  }

  // The pages that `work` and threads of its own look at, by address: which of them comes first is
  // no matter of the input.
  template <typename Work>
  std::vector<Pfn> PagesReadBy(Work&& work) {
    seen_.clear();
    recording_ = true;
    work();
    recording_ = false;
    return {seen_.begin(), seen_.end()};
  }

  void Change(Pa at, uint64_t word) {
    const Pfn pfn = Pfn::Of(at);
    auto [found, is_new] = changed_.try_emplace(pfn.value());
    if (is_new) {
      const PageView page = base_.View(pfn);
      found->second = std::make_unique<Page>();
      if (page.readable()) std::memcpy(found->second->data(), page.data(), kPageSize);
    }
    if (found->second == nullptr) return;
    std::memcpy(found->second->data() + at.page_offset(), &word, sizeof word);
  }
  void LeaveOut(Pfn pfn) { changed_[pfn.value()] = nullptr; }
  void Reset() { changed_.clear(); }

 private:
  using Page = std::array<std::byte, kPageSize>;

  const GuestMemory& base_;
  std::unordered_map<uint64_t, std::unique_ptr<Page>> changed_;  // null: left out
  bool recording_ = false;
  mutable std::mutex mutex_;
  mutable std::set<Pfn> seen_;  // guarded by mutex_
};

}  // namespace ktstr::fuzz
