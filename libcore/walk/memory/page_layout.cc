#include "libcore/walk/memory/page_layout.h"

#include <fmt/format.h>

#include <bit>
#include <initializer_list>
#include <string_view>

namespace ktstr {

namespace {

// The bit of flags with that number in enum pageflags.
Result<uint64_t> FlagBit(const TypeInfo& types, std::string_view name) {
  const int64_t number = KTSTR_TRY(types.FindEnumerator(name));
  if (number >= 0 && number < 64) return uint64_t{1} << number;
  return Fail(ErrorCode::kDamaged, fmt::format("{} cannot be bit {}", name, number));
}

// Where the first of these members (they get renamed) is that struct page has, with `width` bytes.
Result<uint64_t> Offset(const TypeInfo& types, uint64_t width,
                        std::initializer_list<std::string_view> names) {
  const uint64_t size = KTSTR_TRY(types.SizeOf("page"));
  for (const std::string_view name : names) {
    const auto member = types.FindMember("page", name);
    if (!member) continue;
    if (member->offset <= size && size - member->offset >= width) return member->offset;
    return Fail(ErrorCode::kDamaged, fmt::format("page.{} lies outside struct page", name));
  }
  return Fail(ErrorCode::kNotFound, fmt::format("struct page has no {}", *names.begin()));
}

Status ReadOffsets(const TypeInfo& types, PageLayout& layout) {
  layout.size = KTSTR_TRY(types.SizeOf("page"));
  layout.flags = KTSTR_TRY(Offset(types, 8, {"flags"}));
  layout.compound_head = KTSTR_TRY(Offset(types, 8, {"compound_head", "compound_info"}));
  layout.mapping = KTSTR_TRY(Offset(types, 8, {"mapping"}));
  layout.private_data = KTSTR_TRY(Offset(types, 8, {"private"}));
  layout.page_type = KTSTR_TRY(Offset(types, 4, {"page_type"}));
  layout.refcount = KTSTR_TRY(Offset(types, 4, {"_refcount"}));
  layout.pcp_list = KTSTR_TRY(Offset(types, 16, {"pcp_list", "lru"}));
  return {};
}

Status ReadFlags(const TypeInfo& types, PageLayout& layout) {
  layout.lru = KTSTR_TRY(FlagBit(types, "PG_lru"));
  layout.swapbacked = KTSTR_TRY(FlagBit(types, "PG_swapbacked"));
  layout.head = KTSTR_TRY(FlagBit(types, "PG_head"));
  layout.kept = KTSTR_TRY(FlagBit(types, "PG_reserved"));
  // Not in every kernel.
  for (const char* name : {"PG_hwpoison", "PG_slab"})
    layout.kept |= FlagBit(types, name).value_or(0);
  return {};
}

Status ReadPageTypes(const TypeInfo& types, const Vmcoreinfo& note, PageLayout& layout) {
  const auto buddy = note.Number("PAGE_BUDDY_MAPCOUNT_VALUE");
  if (!buddy) {
    return Fail(ErrorCode::kNotFound, "VMCOREINFO does not say how free pages are marked");
  }
  layout.buddy_type = static_cast<uint32_t>(*buddy);
  if (const auto hugetlb = note.Number("PAGE_HUGETLB_MAPCOUNT_VALUE")) {
    layout.hugetlb_type = static_cast<uint32_t>(*hugetlb);
  }
  const auto destructor = Offset(types, 1, {"compound_dtor"});
  const auto of_hugetlb = note.Number("HUGETLB_PAGE_DTOR");
  if (destructor && of_hugetlb && *of_hugetlb > 0 && *of_hugetlb <= UINT8_MAX) {
    layout.hugetlb_destructor = {*destructor, static_cast<uint8_t>(*of_hugetlb)};
  }
  if (types.FindEnumerator("PG_slab") || note.Number("PAGE_SLAB_MAPCOUNT_VALUE")) return {};
  return Fail(ErrorCode::kUnsupported, "the kernel does not say how slab pages are marked");
}

}  // namespace

std::optional<Kva> PageLayout::HeadOf(Kva page, uint64_t compound_head) {
  constexpr uint64_t kTail = 1;
  // Of compound pages: 2^24 bytes of struct pages are those of 1 GiB. No struct page lies that near
  // to the end of the address space.
  constexpr uint64_t kLargest = uint64_t{1} << 32;
  if ((compound_head & kTail) == 0) return std::nullopt;
  const uint64_t rest = compound_head - kTail;
  const uint64_t span = 0 - rest;
  if (std::has_single_bit(span) && span <= kLargest) return Kva(page.value() & rest);
  return Kva(rest);
}

Result<PageLayout> PageLayout::Of(const GuestKernel& kernel) {
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  if (!kernel.vmcoreinfo()) {
    return Fail(ErrorCode::kNotFound, "without VMCOREINFO nothing says how free pages are marked");
  }
  PageLayout layout;
  KTSTR_TRY(ReadOffsets(types, layout));
  KTSTR_TRY(ReadFlags(types, layout));
  KTSTR_TRY(ReadPageTypes(types, *kernel.vmcoreinfo(), layout));
  layout.orders = types.ElementCount(KTSTR_TRY(types.FindMember("zone", "free_area")).type);
  return layout;
}

}  // namespace ktstr
