#include "replay/snapshot_memory.h"

#include <algorithm>
#include <bit>

#include "libcore/base/quantity.h"

namespace ktstr {

namespace {

RegionMap MapOf(const ArchiveReader& archive) {
  const auto regions = archive.regions();
  return RegionMap({regions.begin(), regions.end()});
}

}  // namespace

Result<SnapshotMemoryOptions> SnapshotMemoryOptions::OfSize(std::string_view text) {
  const auto size = ParseSize(text);
  if (!size) return Fail(size.error().code(), "--memory: " + size.error().ToString());
  return SnapshotMemoryOptions{.cache_bytes = *size};
}

SnapshotMemory::SnapshotMemory(std::shared_ptr<const ArchiveReader> archive,
                               SnapshotMemoryOptions options)
    : archive_(std::move(archive)),
      region_map_(MapOf(*archive_)),
      frame_shift_(std::countr_zero(archive_->pages_per_frame())),
      cache_(*archive_, options.cache_bytes, options.ahead),
      overlay_(region_map_.page_count()) {}

PageView SnapshotMemory::View(Pfn pfn) const {
  if (overlay_.size() > 0) {
    const auto index = region_map_.IndexOf(pfn);
    const std::byte* written = index ? overlay_.Find(*index) : nullptr;
    if (written != nullptr) return PageView::Present(written);
  }
  const PageRecord record = archive_->Lookup(pfn);
  switch (record.fate) {
    case PageFate::kPresent:
      return record.relocation
                 ? archive::RelocatedView(ViewStored(record.stored_page), *record.relocation)
                 : ViewStored(record.stored_page);
    case PageFate::kZero:
      return PageView::Zero();
    case PageFate::kNotCaptured:
      return PageView::NotCaptured(record.reason);
    case PageFate::kOutside:
      return PageView::Outside();
    case PageFate::kDamaged:
      return Damaged();
  }
  return Damaged();
}

PageView SnapshotMemory::Damaged() const {
  damaged_views_.fetch_add(1, std::memory_order_relaxed);
  return PageView::Damaged();
}

PageView SnapshotMemory::ViewStored(uint64_t stored_page) const {
  FrameCache::Frame frame = cache_.Get(stored_page >> frame_shift_);
  if (frame == nullptr) return Damaged();
  const uint64_t in_frame = stored_page & ((uint64_t{1} << frame_shift_) - 1);
  const std::byte* data = frame.get() + in_frame * kPageSize;
  return PageView::Present(data, std::move(frame));
}

// All numbers first, so that no other pages have the same pieces: how many there are, then of each
// page its fate and where it is among the frames that follow, and of each frame its sizes.
bool SnapshotMemory::ReadStored(std::span<const Pfn> pages,
                                const std::function<void(std::span<const std::byte>)>& take) const {
  if (overlay_.size() > 0) return false;
  std::vector<PageRecord> records;
  std::vector<uint64_t> frames;
  records.reserve(pages.size());
  for (const Pfn pfn : pages) {
    records.push_back(archive_->Lookup(pfn));
    const PageRecord& record = records.back();
    if (record.fate == PageFate::kZero) continue;
    if (record.fate != PageFate::kPresent) return false;
    frames.push_back(record.stored_page >> frame_shift_);
  }
  std::ranges::sort(frames);
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  std::vector<uint64_t> numbers = {pages.size(), frames.size()};
  for (const PageRecord& record : records) {
    const bool stored = record.fate == PageFate::kPresent;
    const auto frame = std::ranges::lower_bound(frames, record.stored_page >> frame_shift_);
    const auto relocation = record.relocation.value_or(archive::Relocation());
    numbers.insert(numbers.end(),
                   {uint64_t(record.fate), stored ? uint64_t(frame - frames.begin()) : 0,
                    stored ? record.stored_page & ((uint64_t{1} << frame_shift_) - 1) : 0,
                    uint64_t(record.relocation.has_value()), relocation.from, relocation.to});
  }
  for (const uint64_t frame : frames) {
    numbers.insert(numbers.end(),
                   {archive_->pages_in_frame(frame), archive_->compressed_bytes(frame)});
  }
  take(std::as_bytes(std::span(numbers)));
  std::vector<std::byte> compressed;
  for (const uint64_t frame : frames) {
    if (!archive_->ReadCompressedFrame(frame, compressed)) return false;
    take(compressed);
  }
  return true;
}

Result<std::byte*> SnapshotMemory::Writable(Pfn pfn) {
  const auto index = region_map_.IndexOf(pfn);
  if (index) {
    if (std::byte* written = overlay_.Find(*index)) return written;
  }
  const PageView view = View(pfn);
  if (!view.readable()) return Fail(UnreadableError(pfn.pa(), view));
  return overlay_.Add(*index, view.bytes());
}

Pfn SnapshotMemory::NextTouched(Pfn from) const {
  const Pfn next = archive_->NextNotZero(from);
  const auto index = region_map_.IndexOf(from);
  if (!index || overlay_.size() == 0) return next;
  return std::min(next, from + (overlay_.FindFrom(*index) - *index));
}

std::vector<Pfn> SnapshotMemory::WrittenPages() const {
  std::vector<Pfn> pages;
  const uint64_t end = region_map_.page_count();
  for (uint64_t i = overlay_.FindFrom(0); i < end; i = overlay_.FindFrom(i + 1)) {
    pages.push_back(region_map_.PfnAt(i));
  }
  return pages;
}

}  // namespace ktstr
