// Guest memory in which a fuzzer changes words: what a guest can do to mislead who reads it.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libcore/memory/guest_memory.h"

namespace ktstr::fuzz {

// `base` with private copies of pages that were changed, and a list of those that were looked at.
// For one thread.
class MutatedMemory : public GuestMemory {
 public:
  explicit MutatedMemory(const GuestMemory& base) : base_(base) {}

  std::span<const MemoryRegion> regions() const override { return base_.regions(); }
  Pfn NextTouched(Pfn from) const override { return base_.NextTouched(from); }
  PageView View(Pfn pfn) const override {
    if (recording_ && seen_.insert(pfn.value()).second) pages_.push_back(pfn);
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

  // The pages that `work` looks at, in the order in which it first does.
  template <typename Work>
  std::vector<Pfn> PagesReadBy(Work&& work) {
    pages_.clear();
    seen_.clear();
    recording_ = true;
    work();
    recording_ = false;
    return std::move(pages_);
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
  mutable std::vector<Pfn> pages_;
  mutable std::unordered_set<uint64_t> seen_;
};

}  // namespace ktstr::fuzz
