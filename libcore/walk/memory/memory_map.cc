#include "libcore/walk/memory/memory_map.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

// Flags in the low bits of section_mem_map (SECTION_HAS_MEM_MAP and SECTION_MAP_MASK,
// include/linux/mmzone.h). More of them came over time; none can go beyond bit 5, since struct page
// is aligned to 64 bytes at most.
constexpr uint64_t kHasMemMap = 1 << 1;
constexpr uint64_t kFlagMask = 63;

// What VMCOREINFO says of struct mem_section and where they are. They stand page by page, each page
// reached by a pointer (SPARSEMEM_EXTREME, the default on x86-64).
struct SectionTable {
  Kva roots;              // an array of pointers
  uint64_t root_count;    // how many there are
  uint64_t section_size;  // of struct mem_section, in bytes
  uint64_t map_offset;    // of its section_mem_map, in bytes
  uint64_t section_bits;  // a section has 2^that bytes of memory

  uint64_t per_root() const { return kPageSize / section_size; }
};

Result<uint64_t> NumberAt(const Vmcoreinfo& note, const char* key) {
  const auto text = note.Get(key);
  if (!text) return Fail(ErrorCode::kNotFound, fmt::format("VMCOREINFO has no {}", key));
  return std::strtoull(std::string(*text).c_str(), nullptr, 10);
}

Result<SectionTable> FindSections(const GuestKernel& kernel) {
  if (!kernel.vmcoreinfo()) {
    return Fail(ErrorCode::kNotFound, "without VMCOREINFO nothing says where struct pages are");
  }
  const Vmcoreinfo& note = *kernel.vmcoreinfo();
  const auto roots = note.Symbol("mem_section");
  if (!roots) return Fail(ErrorCode::kNotFound, "VMCOREINFO has no SYMBOL(mem_section)");
  const SectionTable table = {*roots, KTSTR_TRY(NumberAt(note, "LENGTH(mem_section)")),
                              KTSTR_TRY(NumberAt(note, "SIZE(mem_section)")),
                              KTSTR_TRY(NumberAt(note, "OFFSET(mem_section.section_mem_map)")),
                              KTSTR_TRY(NumberAt(note, "NUMBER(SECTION_SIZE_BITS)"))};
  const bool possible = table.section_size >= 8 && table.section_size <= kPageSize &&
                        table.map_offset + 8 <= table.section_size &&
                        table.section_bits > kPageShift && table.section_bits < 48;
  if (possible) return table;
  return Fail(ErrorCode::kDamaged, "VMCOREINFO's account of memory sections cannot be");
}

// The section's section_mem_map; 0 where there is none.
Result<uint64_t> ReadSection(const GuestKernel& kernel, const SectionTable& table,
                             uint64_t number) {
  const uint64_t root = number / table.per_root();
  if (root >= table.root_count) return 0;
  const Kva page = KTSTR_TRY(kernel.Read<Kva>(table.roots + root * 8));
  if (page.is_null()) return 0;
  return kernel.Read<uint64_t>(page + number % table.per_root() * table.section_size +
                               table.map_offset);
}

}  // namespace

Result<MemoryMap> MemoryMap::Of(const GuestKernel& kernel, uint64_t page_size) {
  const SectionTable table = KTSTR_TRY(FindSections(kernel));
  // Not to be read at all means no map; the sections are then asked one by one.
  KTSTR_TRY(kernel.Read<Kva>(table.roots));
  MemoryMap map(page_size, table.section_bits - kPageShift);
  for (const MemoryRegion& region : kernel.memory().regions()) {
    const uint64_t end = (region.end.value() - 1) >> map.section_shift_;
    for (uint64_t number = region.begin.value() >> map.section_shift_; number <= end; ++number) {
      KTSTR_TRY(map.AddSection(number, ReadSection(kernel, table, number).value_or(0)));
    }
  }
  if (map.base_.is_null()) return Fail(ErrorCode::kNotFound, "no memory section has struct pages");
  return map;
}

Status MemoryMap::AddSection(uint64_t number, uint64_t section_mem_map) {
  // Of 52 bits of physical address, 128 MiB each.
  constexpr uint64_t kMostSections = uint64_t{1} << 25;
  if (number >= kMostSections) {
    return Fail(ErrorCode::kDamaged, fmt::format("memory has no section {}", number));
  }
  if (present_.size() <= number) present_.resize(number + 1);
  if ((section_mem_map & kHasMemMap) == 0) return {};
  // The kernel stores where frame 0 would be: with SPARSEMEM_VMEMMAP the same for all sections.
  const Kva base(section_mem_map & ~kFlagMask);
  if (base_.is_null()) base_ = base;
  if (base != base_) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("struct pages are no single array: of section {} it would begin at "
                            "{:#x}, of others at {:#x}",
                            number, base.value(), base_.value()));
  }
  present_[number] = true;
  return {};
}

std::optional<Pfn> MemoryMap::FrameOf(Kva page) const {
  const uint64_t offset = page - base_;
  if (offset % page_size_ != 0) return std::nullopt;
  const Pfn pfn(offset / page_size_);
  return Has(pfn) ? std::optional(pfn) : std::nullopt;
}

}  // namespace ktstr
