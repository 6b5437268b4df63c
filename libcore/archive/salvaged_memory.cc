#include "libcore/archive/salvaged_memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/archive/frame_codec.h"

namespace ktstr::archive {

namespace {

std::vector<KnownRun> WithoutOverlap(std::vector<KnownRun> runs) {
  std::ranges::stable_sort(runs, {}, [](const KnownRun& known) { return known.run.first; });
  std::vector<KnownRun> kept;
  for (const KnownRun& known : runs) {
    if (!kept.empty() && known.run.first < kept.back().run.first + kept.back().run.pages) continue;
    kept.push_back(known);
  }
  return kept;
}

}  // namespace

SalvagedMemory::SalvagedMemory(InputFile file, std::vector<MemoryRegion> regions,
                               std::vector<KnownRun> runs, std::vector<IntactFrame> frames,
                               uint64_t cache_bytes)
    : file_(std::move(file)),
      regions_(std::move(regions)),
      runs_(WithoutOverlap(std::move(runs))),
      frames_(std::move(frames)),
      cache_bytes_(cache_bytes) {
  std::ranges::sort(frames_, {}, &IntactFrame::first_stored);
}

PageView SalvagedMemory::View(Pfn pfn) const {
  if (FindRegion(pfn) == nullptr) return PageView::Outside();
  const auto after = std::ranges::upper_bound(
      runs_, pfn, {}, [](const KnownRun& known) { return known.run.first; });
  if (after == runs_.begin()) return PageView::Damaged();
  const KnownRun& known = *std::prev(after);
  const uint64_t index = pfn - known.run.first;
  if (index >= known.run.pages) return PageView::Damaged();
  switch (known.run.kind) {
    case RunKind::kStored:
    case RunKind::kSequence:
      return ViewStored(known.stored + index);
    case RunKind::kSame:
      return ViewStored(known.stored);
    case RunKind::kRelocated:
      return RelocatedView(ViewStored(known.stored), known.run.relocation.Further(index));
    case RunKind::kZero:
      return PageView::Zero();
    case RunKind::kDamaged:
      return PageView::Damaged();
    case RunKind::kLeftOut:
      return PageView::NotCaptured(static_cast<LeftOutReason>(known.run.argument));
  }
  return PageView::Damaged();
}

PageView SalvagedMemory::ViewStored(uint64_t stored) const {
  const auto after = std::ranges::upper_bound(frames_, stored, {}, &IntactFrame::first_stored);
  if (after == frames_.begin()) return PageView::Damaged();
  const IntactFrame& frame = *std::prev(after);
  const uint64_t index = stored - frame.first_stored;
  if (index >= frame.pages) return PageView::Damaged();
  const Pages pages = PagesOf(static_cast<size_t>(&frame - frames_.data()));
  if (pages == nullptr) return PageView::Damaged();
  return PageView::Present(pages->data() + index * kPageSize, pages);
}

SalvagedMemory::Pages SalvagedMemory::PagesOf(size_t frame) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = cache_.find(frame); found != cache_.end()) return found->second;
  }
  std::vector<std::byte> compressed(frames_[frame].size);
  auto pages = std::make_shared<std::vector<std::byte>>(frames_[frame].pages * kPageSize);
  Status read = file_.ReadAt(frames_[frame].offset, compressed);
  if (read) read = DecompressFrame(compressed, *pages);
  const std::lock_guard lock(mutex_);
  if (!read) {
    if (!failure_) failure_ = read.error();
    return nullptr;
  }
  if (cached_bytes_ + pages->size() > cache_bytes_) {
    cache_.clear();
    cached_bytes_ = 0;
  }
  // Another thread may have read it meanwhile.
  if (cache_.emplace(frame, pages).second) cached_bytes_ += pages->size();
  return pages;
}

Status SalvagedMemory::CheckReads() const {
  const std::lock_guard lock(mutex_);
  if (!failure_) return {};
  return Fail(ErrorCode::kIo, fmt::format("{} cannot be read any more as it was a moment ago: {}",
                                          file_.name(), failure_->ToString()));
}

Result<std::byte*> SalvagedMemory::Writable(Pfn pfn) {
  return Fail(
      ErrorCode::kReadOnly,
      fmt::format("the page at {:#x} of a damaged archive takes no writes", pfn.pa().value()));
}

}  // namespace ktstr::archive
