// Arm Architecture Reference Manual, D8: "The AArch64 Virtual Memory System Architecture".
#include "libcore/paging/arm64_tables.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

namespace {

// The last level is 3 with every granule; wide addresses of 4 KiB pages begin at level -1.
constexpr int kLastLevel = 3;
constexpr uint64_t kValid = 1;
constexpr uint64_t kTableOrPage = 2;

// Bits [high:low] of a word, in place.
constexpr uint64_t Bits(uint64_t word, int high, int low) {
  return word & (~uint64_t{0} >> (63 - high)) & (~uint64_t{0} << low);
}

}  // namespace

Result<Arm64Paging> Arm64Paging::FromTcr(uint64_t tcr_el1) {
  Arm64Paging paging;
  const auto unsupported = [&](const char* what) {
    return Fail(ErrorCode::kUnsupported, fmt::format("TCR_EL1 {:#x}: {}", tcr_el1, what));
  };
  switch (Bits(tcr_el1, 31, 30) >> 30) {
    case 1:
      paging.granule_shift = 14;
      break;
    case 2:
      paging.granule_shift = 12;
      break;
    case 3:
      paging.granule_shift = 16;
      break;
    default:
      return unsupported("TG1 is 0, which is no granule");
  }
  paging.va_bits = 64 - static_cast<int>(Bits(tcr_el1, 21, 16) >> 16);
  paging.wide_descriptors = paging.granule_shift < 16 && Bits(tcr_el1, 59, 59) != 0;
  const int most = paging.granule_shift == 16 || paging.wide_descriptors ? 52 : 48;
  if (paging.va_bits > most) return unsupported("T1SZ says more bits than this granule has");
  if (paging.va_bits <= paging.granule_shift + paging.index_bits()) {
    return unsupported("T1SZ says fewer bits than two levels have");
  }
  return paging;
}

int Arm64Paging::levels() const {
  return (va_bits - granule_shift + index_bits() - 1) / index_bits();
}

Pa Arm64Paging::RootOf(uint64_t ttbr1_el1) const {
  // With 52-bit physical addresses the register's bits 5:2 are the address's 51:48, and the table
  // is aligned to 64 bytes at least; else those bits are 0.
  const uint64_t high = Bits(ttbr1_el1, 5, 2) << 46;
  return Pa(Bits(ttbr1_el1, 47, 6) | high);
}

// How many address bits lie below an entry of that level.
int Arm64AddressSpace::ShiftOf(int level) const {
  return paging_.granule_shift + paging_.index_bits() * (kLastLevel - level);
}

// Blocks are for level 2, and for level 1 and 0 where the granule or wide descriptors have them.
bool Arm64AddressSpace::IsLeaf(uint64_t descriptor, int level) const {
  const bool table_or_page = (descriptor & kTableOrPage) != 0;
  if (level == kLastLevel) return table_or_page;
  if (table_or_page) return false;
  if (level == 2) return true;
  if (level == 1) return paging_.granule_shift != 14 || paging_.wide_descriptors;
  return level == 0 && paging_.granule_shift == 12 && paging_.wide_descriptors;
}

// The address in a descriptor: of the next table or of the leaf.
Pa Arm64AddressSpace::OutputOf(uint64_t descriptor) const {
  if (paging_.wide_descriptors) {
    return Pa(Bits(descriptor, 49, paging_.granule_shift) | Bits(descriptor, 9, 8) << 42);
  }
  const uint64_t low = Bits(descriptor, 47, paging_.granule_shift);
  // 52-bit physical addresses of 64 KiB pages: bits 51:48 stand where a smaller page's address
  // ends.
  const uint64_t high = paging_.granule_shift == 16 ? Bits(descriptor, 15, 12) << 36 : 0;
  return Pa(low | high);
}

Result<Translation> Arm64AddressSpace::Walk(Kva va) const {
  if (va < paging_.kernel_half()) {
    return Fail(ErrorCode::kUnmapped,
                fmt::format("{:#x} is below the kernel's half, which begins at {:#x} with {} bits",
                            va.value(), paging_.kernel_half().value(), paging_.va_bits));
  }
  Pa table = root_;
  for (int level = kLastLevel - paging_.levels() + 1;; ++level) {
    const int shift = ShiftOf(level);
    const int top = std::min(shift + paging_.index_bits(), paging_.va_bits) - 1;
    const Pa address = table + (Bits(va.value(), top, shift) >> shift) * sizeof(uint64_t);
    const auto descriptor = memory_->ReadScalar<uint64_t>(address);
    if (!descriptor) {
      return Fail(
          Error(descriptor.error())
              .Wrap(fmt::format("translating {:#x}, reading its level {} descriptor at {:#x}",
                                va.value(), level, address.value())));
    }
    const bool leaf = IsLeaf(*descriptor, level);
    const bool table_follows = level < kLastLevel && (*descriptor & kTableOrPage) != 0;
    if ((*descriptor & kValid) == 0 || !(leaf || table_follows)) {
      return Fail(ErrorCode::kUnmapped,
                  fmt::format("{:#x} is not mapped: its level {} descriptor at {:#x} is {:#x}",
                              va.value(), level, address.value(), *descriptor));
    }
    table = OutputOf(*descriptor);
    if (leaf) {
      const uint64_t size = uint64_t{1} << shift;
      return Translation{Pa(table.value() & ~(size - 1)) + (va.value() & (size - 1)), size};
    }
  }
}

Result<Pa> Arm64AddressSpace::Translate(Kva va) const {
  if (va >= linear_.page_offset) {
    const Pa pa = linear_.dram_base + (va - linear_.page_offset);
    // Not every address above page_offset is of the linear map: what lies beyond RAM is not.
    if (memory_->FindRegion(Pfn::Of(pa)) != nullptr) return pa;
  }
  return KTSTR_TRY(Walk(va)).pa;
}

}  // namespace ktstr
