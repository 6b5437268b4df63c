// Intel SDM volume 3, chapter 4.5 (4-level and 5-level paging).
#include "libcore/paging/address_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "libcore/base/by_page.h"

namespace ktstr {

namespace {

constexpr uint64_t kPresentBit = 1;
constexpr uint64_t kPageSizeBit = uint64_t{1} << 7;
constexpr uint64_t kFrameMask = 0x000ffffffffff000;
constexpr int kEntriesPerTableBits = 9;
// The value of a directory entry in the cache: its frame number, and one bit for a 2 MiB leaf.
constexpr uint64_t kLargeLeaf = 1;

constexpr std::array<std::string_view, 6> kEntryNames = {"", "PTE", "PMD", "PUD", "P4D", "PGD"};

// How many address bits lie below an entry of that level: 12 for a PTE, 21 for a PMD entry, …
constexpr int ShiftOf(int level) { return 12 + kEntriesPerTableBits * (level - 1); }

constexpr uint64_t SpanOf(int level) { return uint64_t{1} << ShiftOf(level); }

constexpr uint64_t IndexAt(Kva va, int level) { return (va.value() >> ShiftOf(level)) & 511; }

// The physical base of the leaf; a large leaf's low address bits (PAT among them) are not part of
// it.
constexpr Pa LeafBase(uint64_t entry, int level) {
  return Pa(entry & kFrameMask & ~(SpanOf(level) - 1));
}

}  // namespace

AddressSpace::AddressSpace(GuestMemory& memory, Pa root, PagingMode mode)
    : memory_(&memory), root_(root), mode_(mode), caches_(std::make_unique<Caches>()) {}

bool AddressSpace::IsCanonical(Kva va) const {
  const int sign_bits = 64 - ShiftOf(levels() + 1) + 1;
  const int64_t sign = static_cast<int64_t>(va.value()) >> (64 - sign_bits);
  return sign == 0 || sign == -1;
}

// Follows the tables from `table` (whose entries are of `level`) to a leaf or a hole.
Result<AddressSpace::WalkEnd> AddressSpace::Descend(Kva va, Pa table, int level) const {
  for (;; --level) {
    const Pa address = table + IndexAt(va, level) * sizeof(uint64_t);
    const auto entry = memory_->ReadScalar<uint64_t>(address);
    if (!entry) {
      return Fail(Error(entry.error())
                      .Wrap(fmt::format("translating {:#x}, reading its {} at {:#x}", va.value(),
                                        kEntryNames[level], address.value())));
    }
    const bool leaf = level == 1 || (*entry & kPageSizeBit) != 0;
    if ((*entry & kPresentBit) == 0 || leaf) {
      if ((*entry & kPresentBit) != 0 && level > 3) {
        return Fail(
            ErrorCode::kDamaged,
            fmt::format("translating {:#x}: its {} at {:#x} is {:#x}, a leaf where none can be",
                        va.value(), kEntryNames[level], address.value(), *entry));
      }
      return WalkEnd{level, address, *entry};
    }
    table = Pa(*entry & kFrameMask);
    if (level == 2) RememberDirectory(va, WalkEnd{level, address, *entry});
  }
}

// `end` is the PMD entry that covers `va`, or a 1 GiB leaf: then the 2 MiB of it around `va` is
// meant.
void AddressSpace::RememberDirectory(Kva va, const WalkEnd& end) const {
  if (!IsKernelHalf(va)) return;
  const bool leaf = (end.entry & kPageSizeBit) != 0;
  Pa base(end.entry & kFrameMask);
  if (leaf)
    base =
        LeafBase(end.entry, end.level) + (va.value() & (SpanOf(end.level) - 1) & ~(SpanOf(2) - 1));
  const uint64_t value = (Pfn::Of(base).value() << 1) | (leaf ? kLargeLeaf : 0);
  if (value <= DirectoryTranslationCache::kMaxValue) {
    caches_->directories.Insert(DirectoryKey(va), value);
  }
}

Error AddressSpace::NotMapped(Kva va, const WalkEnd& end) const {
  return Error(
      ErrorCode::kUnmapped,
      fmt::format("{:#x} is not mapped: its {} at {:#x} is {:#x} (not present)", va.value(),
                  kEntryNames[end.level], end.entry_address.value(), end.entry));
}

Result<Translation> AddressSpace::Walk(Kva va) const {
  if (!IsCanonical(va)) {
    return Fail(
        ErrorCode::kUnmapped,
        fmt::format("{:#x} is not a canonical address with {}-level paging", va.value(), levels()));
  }
  const WalkEnd end = KTSTR_TRY(Descend(va, root_, levels()));
  if ((end.entry & kPresentBit) == 0) return Fail(NotMapped(va, end));
  if (end.level > 1) RememberDirectory(va, end);
  const uint64_t size = SpanOf(end.level);
  return Translation{LeafBase(end.entry, end.level) + (va.value() & (size - 1)), size};
}

Result<Pa> AddressSpace::TranslateSlow(Kva va) const {
  Pa pa;
  uint64_t directory;
  if (IsKernelHalf(va) && IsCanonical(va) &&
      caches_->directories.Find(DirectoryKey(va), directory)) {
    const Pa base = Pfn(directory >> 1).pa();
    if ((directory & kLargeLeaf) != 0) {
      pa = base + (va.value() & (SpanOf(2) - 1));
    } else {
      const WalkEnd end = KTSTR_TRY(Descend(va, base, 1));
      if ((end.entry & kPresentBit) == 0) return Fail(NotMapped(va, end));
      pa = LeafBase(end.entry, 1) + va.page_offset();
    }
  } else {
    pa = KTSTR_TRY(Walk(va)).pa;
  }
  const uint64_t frame = Pfn::Of(pa).value();
  if (IsKernelHalf(va) && frame <= PageTranslationCache::kMaxValue) {
    caches_->pages.Insert(PageKey(va), frame);
  }
  return pa;
}

Result<std::optional<Kva>> AddressSpace::FirstMapped(Kva from, Kva to) const {
  for (Kva va = from; va < to;) {
    if (!IsCanonical(va)) {
      return Fail(ErrorCode::kUnmapped,
                  fmt::format("{:#x} is not a canonical address", va.value()));
    }
    const WalkEnd end = KTSTR_TRY(Descend(va, root_, levels()));
    if ((end.entry & kPresentBit) != 0) return va;
    const Kva next((va.value() | (SpanOf(end.level) - 1)) + 1);
    if (next < va) break;  // past the top of the address space
    va = next;
  }
  return std::nullopt;
}

Status AddressSpace::Read(Kva va, std::span<std::byte> out) const {
  return ForEachPage(va, out.size(), [&](Kva at, uint64_t size) -> Status {
    return memory_->Read(KTSTR_TRY(Translate(at)), out.subspan(at - va, size));
  });
}

Status AddressSpace::Write(Kva va, std::span<const std::byte> bytes) {
  return ForEachPage(va, bytes.size(), [&](Kva at, uint64_t size) -> Status {
    return memory_->Write(KTSTR_TRY(Translate(at)), bytes.subspan(at - va, size));
  });
}

void AddressSpace::Flush() const {
  caches_->pages.Clear();
  caches_->directories.Clear();
}

}  // namespace ktstr
