#include "ktstr/memory/guest_memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

Status GuestMemory::Read(Pa pa, std::span<std::byte> out) const {
  while (!out.empty()) {
    const size_t chunk = std::min<uint64_t>(out.size(), kPageSize - pa.page_offset());
    const PageView page = View(Pfn::Of(pa));
    if (!page.readable()) return Fail(UnreadableError(pa, page));
    std::memcpy(out.data(), page.data() + pa.page_offset(), chunk);
    out = out.subspan(chunk);
    pa += chunk;
  }
  return {};
}

Status GuestMemory::Write(Pa pa, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t chunk = std::min<uint64_t>(bytes.size(), kPageSize - pa.page_offset());
    std::byte* page = KTSTR_TRY(Writable(Pfn::Of(pa)));
    std::memcpy(page + pa.page_offset(), bytes.data(), chunk);
    bytes = bytes.subspan(chunk);
    pa += chunk;
  }
  return {};
}

uint64_t GuestMemory::page_count() const {
  uint64_t count = 0;
  for (const MemoryRegion& region : regions()) count += region.page_count();
  return count;
}

Pa GuestMemory::end() const {
  const auto all = regions();
  return all.empty() ? Pa(0) : all.back().end.pa();
}

const MemoryRegion* GuestMemory::FindRegion(Pfn pfn) const {
  const auto all = regions();
  auto after = std::upper_bound(all.begin(), all.end(), pfn,
                                [](Pfn p, const MemoryRegion& r) { return p < r.begin; });
  if (after == all.begin()) return nullptr;
  const MemoryRegion& candidate = *std::prev(after);
  return candidate.Contains(pfn) ? &candidate : nullptr;
}

Error GuestMemory::UnreadableError(Pa pa, const PageView& page) {
  switch (page.fate()) {
    case PageFate::kOutside:
      return Error(
          ErrorCode::kOutOfRange,
          fmt::format("guest-physical address {:#x} is outside the guest's memory", pa.value()));
    case PageFate::kDamaged:
      return Error(ErrorCode::kUnreadable,
                   fmt::format("the page at guest-physical address {:#x} is damaged in the archive",
                               pa.value()));
    default:
      return Error(ErrorCode::kUnreadable,
                   fmt::format("the page at guest-physical address {:#x} was not captured ({})",
                               pa.value(), LeftOutReasonName(page.left_out_reason())));
  }
}

}  // namespace ktstr
