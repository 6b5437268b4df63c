#include "libcore/host/host_snapshot.h"

#include <utility>

#include "libcore/archive/checksum.h"

namespace ktstr {

namespace {

// Of what is not there as well, so that it stays away.
uint64_t ChecksumOf(const PageView& page) {
  return page.readable() ? archive::Checksum(page.bytes())
                         : 1 + static_cast<uint64_t>(page.left_out_reason());
}

}  // namespace

void HostSnapshot::BeginKeeping() {
  const std::scoped_lock lock(mutex_);
  mode_ = Mode::kKeeping;
  kept_.clear();
}

HostSnapshot::Pages HostSnapshot::TakeKept() {
  const std::scoped_lock lock(mutex_);
  mode_ = Mode::kThrough;
  return std::exchange(kept_, {});
}

void HostSnapshot::BeginPassing(Pages kept) {
  const std::scoped_lock lock(mutex_);
  mode_ = Mode::kPassing;
  kept_ = std::move(kept);
}

std::optional<PageView> HostSnapshot::Known(Pfn pfn) const {
  if (const auto kept = kept_.find(pfn.value()); kept != kept_.end()) return kept->second;
  if (const auto page = passing_.find(pfn.value()); page != passing_.end()) return page->second;
  return std::nullopt;
}

PageView HostSnapshot::Remember(Pfn pfn, PageView page) const {
  if (mode_ == Mode::kKeeping && kept_.size() < most_kept_) kept_.emplace(pfn.value(), page);
  if (mode_ != Mode::kPassing) return page;
  if (const auto passed = passed_.find(pfn.value()); passed != passed_.end()) {
    return ChecksumOf(page) == passed->second ? page
                                              : PageView::NotCaptured(LeftOutReason::kExcluded);
  }
  passing_.emplace(pfn.value(), page);
  passing_order_.push_back(pfn.value());
  if (passing_order_.size() > most_passing_) {
    const auto oldest = passing_.extract(passing_order_.front());
    passed_.emplace(oldest.key(), ChecksumOf(oldest.mapped()));
    passing_order_.pop_front();
  }
  return page;
}

PageView HostSnapshot::View(Pfn pfn) const {
  {
    const std::scoped_lock lock(mutex_);
    if (mode_ != Mode::kThrough) {
      if (auto known = Known(pfn)) return *std::move(known);
    }
  }
  // Without the lock: to tell what a page of zeros is, the host asks page tables, through this.
  PageView page = host_.View(pfn);
  if (page.fate() == PageFate::kOutside) return page;
  const std::scoped_lock lock(mutex_);
  if (mode_ == Mode::kThrough) return page;
  // Another thread may have been faster.
  if (auto known = Known(pfn)) return *std::move(known);
  return Remember(pfn, std::move(page));
}

}  // namespace ktstr
