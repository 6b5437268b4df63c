#include "replay/vmcore/dump_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ktstr::vmcore {

namespace {

// 32 MiB of pages; which block is kept where is fixed, so that one lock serves one block.
constexpr uint64_t kSlots = 512;

}  // namespace

DumpMemory::DumpMemory(std::vector<MemoryRegion> regions)
    : region_map_(std::move(regions)), slots_(new Slot[kSlots]) {}

DumpMemory::~DumpMemory() = default;

PageView DumpMemory::View(Pfn pfn) const {
  const uint64_t number = pfn.value() / kBlockPages, index = pfn.value() % kBlockPages;
  std::shared_ptr<const PageBlock> block;
  {
    Slot& slot = slots_[number % kSlots];
    const std::scoped_lock lock(slot.mutex);
    if (slot.number != number) {
      auto read = std::make_shared_for_overwrite<PageBlock>();
      ReadBlock(Pfn(number * kBlockPages), *read);
      slot.block = std::move(read);
      slot.number = number;
    }
    block = slot.block;
  }
  switch (block->fates[index]) {
    case PageFate::kPresent: {
      const std::byte* data = block->bytes.data() + index * kPageSize;
      return PageView::Present(data, std::move(block));
    }
    case PageFate::kZero:
      return PageView::Zero();
    case PageFate::kNotCaptured:
      return PageView::NotCaptured(block->reasons[index]);
    case PageFate::kDamaged:
      return PageView::Damaged();
    case PageFate::kOutside:
      return PageView::Outside();
  }
  return PageView::Damaged();
}

void DumpMemory::ReadBlock(Pfn first, PageBlock& block) const {
  for (uint64_t i = 0; i < kBlockPages; ++i) {
    const Pfn pfn = first + i;
    PageFate& fate = block.fates[i];
    if (region_map_.Find(pfn) == nullptr) {
      fate = PageFate::kOutside;
    } else if (!Has(pfn)) {
      FillAbsent(pfn, i, block);
    } else if (auto read = ReadPage(pfn, block.page(i)); read) {
      fate = PageFate::kPresent;
    } else {
      fate = PageFate::kDamaged;
      Note(std::move(read).error());
    }
  }
}

void DumpMemory::FillAbsent(Pfn pfn, uint64_t index, PageBlock& block) const {
  const auto run =
      std::upper_bound(absent_.begin(), absent_.end(), pfn,
                       [](Pfn p, const AbsentPages& absent) { return p < absent.pages.end; });
  const bool told = run != absent_.end() && run->pages.Contains(pfn);
  block.fates[index] = told ? run->fate : PageFate::kNotCaptured;
  block.reasons[index] = told ? run->reason : LeftOutReason::kExcluded;
}

Result<std::byte*> DumpMemory::Writable(Pfn pfn) {
  return Fail(
      ErrorCode::kReadOnly,
      fmt::format("the page at {:#x} is in a dump, which is not written to", pfn.pa().value()));
}

std::optional<Error> DumpMemory::failure() const {
  const std::scoped_lock lock(failure_mutex_);
  return failure_;
}

void DumpMemory::Note(Error error) const {
  const std::scoped_lock lock(failure_mutex_);
  if (!failure_) failure_ = std::move(error);
}

}  // namespace ktstr::vmcore
