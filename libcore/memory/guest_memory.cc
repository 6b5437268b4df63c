#include "libcore/memory/guest_memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/by_page.h"

namespace ktstr {

Status GuestMemory::Read(Pa pa, std::span<std::byte> out) const {
  return ForEachPage(pa, out.size(), [&](Pa at, uint64_t size) -> Status {
    const PageView page = View(Pfn::Of(at));
    if (!page.readable()) return Fail(UnreadableError(at, page));
    std::memcpy(out.data() + (at - pa), page.data() + at.page_offset(), size);
    return {};
  });
}

Status GuestMemory::CheckWritable(Pfn pfn) {
  KTSTR_TRY(Writable(pfn));
  return {};
}

Status GuestMemory::Write(Pa pa, std::span<const std::byte> bytes) {
  return ForEachPage(pa, bytes.size(), [&](Pa at, uint64_t size) -> Status {
    std::byte* page = KTSTR_TRY(Writable(Pfn::Of(at)));
    std::memcpy(page + at.page_offset(), bytes.data() + (at - pa), size);
    return {};
  });
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
      if (page.left_out_reason() == LeftOutReason::kNone) {
        return Error(ErrorCode::kUnreadable,
                     fmt::format("the page at guest-physical address {:#x} could not be read from "
                                 "the machine",
                                 pa.value()));
      }
      return Error(ErrorCode::kUnreadable,
                   fmt::format("the page at guest-physical address {:#x} was not captured ({})",
                               pa.value(), LeftOutReasonName(page.left_out_reason())));
  }
}

}  // namespace ktstr
