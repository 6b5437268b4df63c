#include "replay/vmcore/core_memory.h"

#include <fmt/format.h>

#include <utility>

namespace ktstr::vmcore {

namespace {

class CoreMemory : public DumpMemory {
 public:
  CoreMemory(const DumpFile& dump, CoreParts parts, std::vector<MemoryRegion> regions)
      : DumpMemory(std::move(regions)),
        dump_(dump),
        bytes_(BytesOf(dump)),
        parts_(std::move(parts)) {}

  bool Has(Pfn pfn) const override { return parts_.Has(pfn); }

 protected:
  Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const override {
    return parts_.ReadPage(bytes_, pfn, out);
  }

  // Nearly all blocks lie whole in one segment.
  void ReadBlock(Pfn first, PageBlock& block) const override {
    const auto at =
        first < Pfn(uint64_t{1} << 50) ? parts_.Find(first.pa(), sizeof block.bytes) : std::nullopt;
    if (!at || !dump_.ReadAt(*at, block.bytes)) return DumpMemory::ReadBlock(first, block);
    for (uint64_t i = 0; i < kBlockPages; ++i) {
      block.fates[i] = FindRegion(first + i) != nullptr ? PageFate::kPresent : PageFate::kOutside;
    }
  }

 private:
  const DumpFile& dump_;
  const CoreBytes bytes_;
  const CoreParts parts_;
};

}  // namespace

CoreBytes BytesOf(const DumpFile& dump) {
  return {.read = [&dump](uint64_t offset,
                          std::span<std::byte> out) { return dump.ReadAt(offset, out); },
          .size = dump.file_size()};
}

Result<std::unique_ptr<DumpMemory>> ElfCoreMemory(const DumpFile& dump, const ElfCore& core,
                                                  std::vector<MemoryRegion> regions, CutOff cut) {
  if (!core.HasPhysicalAddresses()) {
    return Fail(ErrorCode::kUnsupported,
                "it is no core of a whole x86-64 machine: its segments have no physical addresses");
  }
  for (const ElfCore::Load& load : core.loads) {
    if (cut == CutOff::kAccept || load.size == 0) continue;
    if (load.offset + load.size > dump.size()) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("it is cut off: it has {} bytes, and should have {} at least",
                              dump.size(), load.offset + load.size));
    }
  }
  CoreParts parts(core);
  if (regions.empty()) regions = parts.regions();
  return std::unique_ptr<DumpMemory>(new CoreMemory(dump, std::move(parts), std::move(regions)));
}

}  // namespace ktstr::vmcore
