#include "replay/vmcore/elf_core.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace ktstr::vmcore {

namespace {

// Notes of 8,192 CPUs fill some 8 MiB.
constexpr uint64_t kMostNotes = 256 << 20;

Error NoCore(const std::string& why) {
  return Error(ErrorCode::kUnsupported, "it is no core of a whole x86-64 machine: " + why);
}

// The number of segments; where it does not fit into the header, the first section has it
// (PN_XNUM).
Result<uint64_t> SegmentCount(const DumpFile& dump, const Elf64_Ehdr& header) {
  if (header.e_phnum != PN_XNUM) return header.e_phnum;
  Elf64_Shdr section;
  KTSTR_TRY(dump.ReadAt(header.e_shoff, std::as_writable_bytes(std::span(&section, 1))));
  return section.sh_info;
}

Status AddNotes(const DumpFile& dump, const Elf64_Phdr& segment, std::vector<std::byte>& notes) {
  if (segment.p_filesz > kMostNotes - notes.size() || segment.p_filesz > dump.file_size()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("it says that its notes are {} bytes", segment.p_filesz));
  }
  const size_t begin = notes.size();
  notes.resize(begin + segment.p_filesz);
  return dump.ReadAt(segment.p_offset, std::span(notes).subspan(begin));
}

// Of /proc/kcore, which knows no physical address of some segments.
bool HasPhysical(const Elf64_Phdr& segment) { return segment.p_paddr != ~uint64_t{0}; }

Result<ElfCore::Load> LoadOf(const Elf64_Phdr& segment) {
  const uint64_t size = std::min(segment.p_filesz, std::max(segment.p_memsz, segment.p_filesz));
  const uint64_t memory = std::max(segment.p_memsz, segment.p_filesz);
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

class CoreMemory : public DumpMemory {
 public:
  CoreMemory(const DumpFile& dump, std::vector<ElfCore::Load> parts,
             std::vector<MemoryRegion> regions)
      : DumpMemory(std::move(regions)), dump_(dump), parts_(std::move(parts)) {}

  bool Has(Pfn pfn) const override {
    const uint64_t pa = pfn.pa().value();
    uint64_t at = pa;
    for (auto part = PartAt(at); part != parts_.end() && part->pa <= at; ++part) {
      at = part->pa + part->size;
      if (at - pa >= kPageSize) return true;
    }
    return false;
  }

 protected:
  Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const override {
    uint64_t at = pfn.pa().value();
    std::span<std::byte> left = out;
    for (auto part = PartAt(at); !left.empty(); ++part) {
      if (part == parts_.end() || part->pa > at) {
        return Fail(ErrorCode::kUnreadable, "a part of the page is missing");
      }
      const uint64_t in_part = std::min<uint64_t>(part->pa + part->size - at, left.size());
      KTSTR_TRY(dump_.ReadAt(part->offset + (at - part->pa), left.first(in_part)));
      left = left.subspan(in_part);
      at += in_part;
    }
    return {};
  }

  // Nearly all blocks lie whole in one segment.
  void ReadBlock(Pfn first, PageBlock& block) const override {
    const uint64_t pa = first.pa().value();
    const auto part = PartAt(pa);
    const bool whole = part != parts_.end() && part->pa <= pa &&
                       part->pa + part->size - pa >= sizeof block.bytes && first < Pfn(1ULL << 50);
    if (!whole || !dump_.ReadAt(part->offset + (pa - part->pa), block.bytes)) {
      return DumpMemory::ReadBlock(first, block);
    }
    for (uint64_t i = 0; i < kBlockPages; ++i) {
      block.fates[i] = FindRegion(first + i) != nullptr ? PageFate::kPresent : PageFate::kOutside;
    }
  }

 private:
  // The first part that ends behind `pa`.
  std::vector<ElfCore::Load>::const_iterator PartAt(uint64_t pa) const {
    return std::upper_bound(
        parts_.begin(), parts_.end(), pa,
        [](uint64_t p, const ElfCore::Load& part) { return p < part.pa + part.size; });
  }

  const DumpFile& dump_;
  const std::vector<ElfCore::Load> parts_;
};

}  // namespace

bool IsElf(std::span<const std::byte> begin) {
  return begin.size() >= SELFMAG && std::memcmp(begin.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfCore> ReadElfCore(const DumpFile& dump) {
  Elf64_Ehdr header;
  KTSTR_TRY(dump.ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return Fail(NoCore("it is of another kind of machine"));
  }
  if (header.e_type != ET_CORE) return Fail(NoCore("it is a program or a library"));
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return Fail(ErrorCode::kDamaged, fmt::format("its program headers are {} bytes, not {}",
                                                 header.e_phentsize, sizeof(Elf64_Phdr)));
  }
  const uint64_t count = KTSTR_TRY(SegmentCount(dump, header));
  if (count > dump.file_size() / sizeof(Elf64_Phdr)) {
    return Fail(ErrorCode::kDamaged, fmt::format("it says that it has {} segments", count));
  }
  std::vector<Elf64_Phdr> segments(count);
  KTSTR_TRY(dump.ReadAt(header.e_phoff, std::as_writable_bytes(std::span(segments))));
  ElfCore core;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE) KTSTR_TRY(AddNotes(dump, segment, core.notes));
    if (segment.p_type != PT_LOAD || !HasPhysical(segment)) continue;
    core.loads.push_back(KTSTR_TRY(LoadOf(segment)));
  }
  return core;
}

Result<std::unique_ptr<DumpMemory>> ElfCoreMemory(const DumpFile& dump, const ElfCore& core,
                                                  std::vector<MemoryRegion> regions, CutOff cut) {
  // A process's core has virtual addresses alone; all of its physical ones are 0.
  const bool physical = std::ranges::any_of(core.loads, [](const auto& l) { return l.pa != 0; }) ||
                        core.loads.size() == 1;
  if (!physical) return Fail(NoCore("its segments have no physical addresses"));
  for (const ElfCore::Load& load : core.loads) {
    if (cut == CutOff::kAccept || load.size == 0) continue;
    if (load.offset + load.size > dump.size()) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("it is cut off: it has {} bytes, and should have {} at least",
                              dump.size(), load.offset + load.size));
    }
  }
  if (regions.empty()) regions = RegionsOf(core.loads);
  return std::unique_ptr<DumpMemory>(
      new CoreMemory(dump, PartsInFile(core.loads), std::move(regions)));
}

}  // namespace ktstr::vmcore
