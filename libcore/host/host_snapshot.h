// A machine that runs, as it is written to an archive: each page is what it was when it was first
// looked at, however often a writer looks again, and what walkers went through together is of
// nearly one moment.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

class HostSnapshot : public GuestMemory {
 public:
  // Pages that stay, by frame number.
  using Pages = std::unordered_map<uint64_t, PageView>;

  // `host` must outlive this object; each of its views is a copy. So many bytes may stay, and so
  // many of pages that are only passing.
  HostSnapshot(GuestMemory& host, uint64_t most_kept, uint64_t most_passing)
      : host_(host), most_kept_(most_kept / kPageSize), most_passing_(most_passing / kPageSize) {}

  // From now on pages that are looked at stay as they are then, until there is no room. None has
  // stayed from before.
  void BeginKeeping();
  // Ends that. The pages that have stayed, which do no longer.
  Pages TakeKept();
  // From now on these stay; of each other page what was seen first is what is seen as long as it is
  // among the last that were looked at. When it is not, it can be seen as long as it has not
  // changed, and is kNotCaptured else: whoever compares it with what was written finds it
  // different. Before the first of these calls, everything is what it is now.
  void BeginPassing(Pages kept);

  std::span<const MemoryRegion> regions() const override { return host_.regions(); }
  PageView View(Pfn pfn) const override;
  // Errors: those of the host's memory.
  Result<std::byte*> Writable(Pfn pfn) override { return host_.Writable(pfn); }

 private:
  enum class Mode : uint8_t { kThrough, kKeeping, kPassing };

  // With the lock.
  std::optional<PageView> Known(Pfn pfn) const;
  PageView Remember(Pfn pfn, PageView page) const;

  GuestMemory& host_;
  const uint64_t most_kept_, most_passing_;  // in pages
  mutable std::mutex mutex_;
  Mode mode_ = Mode::kThrough;
  mutable Pages kept_, passing_;
  mutable std::deque<uint64_t> passing_order_;
  mutable std::unordered_map<uint64_t, uint64_t> passed_;  // their checksums
};

}  // namespace ktstr
