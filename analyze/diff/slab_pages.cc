#include "analyze/diff/slab_pages.h"

namespace ktstr {

namespace {

// Page types are in the top byte (6.12, 4ffca5a96678) or single bits above it (6.10).
constexpr uint32_t kTypeMask = 0xff000000;
constexpr size_t kLongestName = 64;

}  // namespace

Result<SlabPages> SlabPages::Of(const GuestKernel& kernel) {
  const PageLayout layout = KTSTR_TRY(PageLayout::Of(kernel));
  SlabPages pages(kernel, layout, KTSTR_TRY(MemoryMap::Of(kernel, layout.size)));
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  pages.cache_offset_ = KTSTR_TRY(types.FindMember("slab", "slab_cache")).offset;
  pages.name_offset_ = KTSTR_TRY(types.FindMember("kmem_cache", "name")).offset;
  if (const auto type = kernel.vmcoreinfo()->Number("PAGE_SLAB_MAPCOUNT_VALUE")) {
    pages.slab_type_ = static_cast<uint32_t>(*type);
  }
  if (const auto bit = types.FindEnumerator("PG_slab"); bit && *bit >= 0 && *bit < 64) {
    pages.slab_flag_ = uint64_t{1} << *bit;
  }
  return pages;
}

Result<Kva> SlabPages::HeadOf(Pfn pfn) const {
  const Kva page = map_.PageOf(pfn);
  const auto head = KTSTR_TRY(kernel_->Read<uint64_t>(page + layout_.compound_head));
  return PageLayout::HeadOf(page, head).value_or(page);
}

Result<bool> SlabPages::IsSlab(Kva page) const {
  if (slab_type_) {
    const auto type = KTSTR_TRY(kernel_->Read<uint32_t>(page + layout_.page_type));
    return (type & kTypeMask) == (*slab_type_ & kTypeMask);
  }
  if (!slab_flag_) return false;
  return (KTSTR_TRY(kernel_->Read<uint64_t>(page + layout_.flags)) & *slab_flag_) != 0;
}

std::optional<std::string> SlabPages::CacheOf(Pfn pfn) const {
  if (!map_.Has(pfn)) return std::nullopt;
  const auto head = HeadOf(pfn);
  if (!head) return std::nullopt;
  const auto is_slab = IsSlab(*head);
  if (!is_slab || !*is_slab) return std::nullopt;
  const auto cache = kernel_->Read<uint64_t>(*head + cache_offset_);
  if (!cache) return std::nullopt;
  const auto name = kernel_->Read<uint64_t>(Kva(*cache) + name_offset_);
  if (!name) return std::nullopt;
  const auto text = kernel_->ReadString(Kva(*name), kLongestName);
  return text ? std::optional(*text) : std::nullopt;
}

}  // namespace ktstr
