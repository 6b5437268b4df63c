#include "libcore/memory/elf_core.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace ktstr {

namespace {

// Notes of 8,192 CPUs fill some 8 MiB.
constexpr uint64_t kMostNotes = 256 << 20;

Error NoCore(const std::string& why) {
  return Error(ErrorCode::kUnsupported, "it is no core of a whole x86-64 machine: " + why);
}

// The number of segments; where it does not fit into the header, the first section has it
// (PN_XNUM).
Result<uint64_t> SegmentCount(const CoreBytes& bytes, const Elf64_Ehdr& header) {
  if (header.e_phnum != PN_XNUM) return header.e_phnum;
  Elf64_Shdr section;
  KTSTR_TRY(bytes.read(header.e_shoff, std::as_writable_bytes(std::span(&section, 1))));
  return section.sh_info;
}

Status AddNotes(const CoreBytes& bytes, const Elf64_Phdr& segment, std::vector<std::byte>& notes) {
  if (segment.p_filesz > kMostNotes - notes.size() || segment.p_filesz > bytes.size) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("it says that its notes are {} bytes", segment.p_filesz));
  }
  const size_t begin = notes.size();
  notes.resize(begin + segment.p_filesz);
  return bytes.read(segment.p_offset, std::span(notes).subspan(begin));
}

// Of /proc/kcore, which knows no physical address of some segments.
bool HasPhysical(const Elf64_Phdr& segment) { return segment.p_paddr != ~uint64_t{0}; }

Result<ElfCore::Load> LoadOf(const Elf64_Phdr& segment) {
  const uint64_t size = segment.p_filesz, memory = std::max(segment.p_memsz, size);
  if (memory > ~segment.p_paddr || size > ~segment.p_offset) {
    return Fail(ErrorCode::kDamaged, fmt::format("it says that a segment at {:#x} is {:#x} bytes",
                                                 segment.p_paddr, memory));
  }
  return ElfCore::Load{segment.p_paddr, memory, segment.p_offset, size};
}

// Pages that lie whole in what the segments cover together.
std::vector<MemoryRegion> RegionsOf(std::vector<ElfCore::Load> loads) {
  std::ranges::sort(loads, {}, &ElfCore::Load::pa);
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const ElfCore::Load& load : loads) {
    const uint64_t end = load.pa + load.memory_size;
    if (!ranges.empty() && load.pa <= ranges.back().second) {
      ranges.back().second = std::max(ranges.back().second, end);
    } else {
      ranges.emplace_back(load.pa, end);
    }
  }
  std::vector<MemoryRegion> regions;
  for (const auto& [begin, end] : ranges) {
    const Pfn first((begin >> kPageShift) + ((begin & (kPageSize - 1)) != 0 ? 1 : 0));
    const Pfn last(end >> kPageShift);
    if (first < last) regions.push_back({first, last});
  }
  return regions;
}

// What is in the file, ascending and disjoint. Several segments may show the same memory, as that
// of the kernel's text: the first one counts.
std::vector<ElfCore::Load> PartsInFile(std::vector<ElfCore::Load> loads) {
  std::ranges::stable_sort(loads, {}, &ElfCore::Load::pa);
  std::vector<ElfCore::Load> parts;
  uint64_t covered = 0;
  for (ElfCore::Load load : loads) {
    const uint64_t end = load.pa + load.size;
    if (end <= covered || load.size == 0) continue;
    if (load.pa < covered) {
      load.offset += covered - load.pa;
      load.pa = covered;
    }
    load.size = end - load.pa;
    load.memory_size = load.size;
    covered = end;
    parts.push_back(load);
  }
  return parts;
}

}  // namespace

bool IsElf(std::span<const std::byte> begin) {
  return begin.size() >= SELFMAG && std::memcmp(begin.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfCore> ReadElfCore(const CoreBytes& bytes) {
  Elf64_Ehdr header;
  KTSTR_TRY(bytes.read(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return Fail(NoCore("it is of another kind of machine"));
  }
  if (header.e_type != ET_CORE) return Fail(NoCore("it is a program or a library"));
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return Fail(ErrorCode::kDamaged, fmt::format("its program headers are {} bytes, not {}",
                                                 header.e_phentsize, sizeof(Elf64_Phdr)));
  }
  const uint64_t count = KTSTR_TRY(SegmentCount(bytes, header));
  if (count > bytes.size / sizeof(Elf64_Phdr)) {
    return Fail(ErrorCode::kDamaged, fmt::format("it says that it has {} segments", count));
  }
  std::vector<Elf64_Phdr> segments(count);
  KTSTR_TRY(bytes.read(header.e_phoff, std::as_writable_bytes(std::span(segments))));
  ElfCore core;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE) KTSTR_TRY(AddNotes(bytes, segment, core.notes));
    if (segment.p_type != PT_LOAD || !HasPhysical(segment)) continue;
    core.loads.push_back(KTSTR_TRY(LoadOf(segment)));
  }
  return core;
}

bool ElfCore::HasPhysicalAddresses() const {
  return std::ranges::any_of(loads, [](const Load& load) { return load.pa != 0; }) ||
         loads.size() == 1;
}

CoreParts::CoreParts(const ElfCore& core)
    : parts_(PartsInFile(core.loads)), regions_(RegionsOf(core.loads)) {}

std::vector<ElfCore::Load>::const_iterator CoreParts::PartAt(uint64_t pa) const {
  return std::upper_bound(
      parts_.begin(), parts_.end(), pa,
      [](uint64_t p, const ElfCore::Load& part) { return p < part.pa + part.size; });
}

bool CoreParts::Has(Pfn pfn) const {
  const uint64_t pa = pfn.pa().value();
  uint64_t at = pa;
  for (auto part = PartAt(at); part != parts_.end() && part->pa <= at; ++part) {
    at = part->pa + part->size;
    if (at - pa >= kPageSize) return true;
  }
  return false;
}

std::optional<uint64_t> CoreParts::Find(Pa pa, uint64_t size) const {
  const auto part = PartAt(pa.value());
  if (part == parts_.end() || part->pa > pa.value()) return std::nullopt;
  const uint64_t into = pa.value() - part->pa;
  return part->size - into >= size ? std::optional(part->offset + into) : std::nullopt;
}

Status CoreParts::ReadPage(const CoreBytes& bytes, Pfn pfn,
                           std::span<std::byte, kPageSize> out) const {
  uint64_t at = pfn.pa().value();
  std::span<std::byte> left = out;
  for (auto part = PartAt(at); !left.empty(); ++part) {
    if (part == parts_.end() || part->pa > at) {
      return Fail(ErrorCode::kUnreadable, "a part of the page is missing");
    }
    const uint64_t in_part = std::min<uint64_t>(part->pa + part->size - at, left.size());
    KTSTR_TRY(bytes.read(part->offset + (at - part->pa), left.first(in_part)));
    left = left.subspan(in_part);
    at += in_part;
  }
  return {};
}

}  // namespace ktstr
