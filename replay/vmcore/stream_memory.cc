#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "replay/vmcore/qemu_stream.h"

namespace ktstr::vmcore {

namespace {

constexpr uint64_t kFourGiB = uint64_t{1} << 32;
// The window of a VGA, where there is one, behind which RAM is not seen (hw/display/vga.c).
constexpr uint64_t kWindowBegin = 0xa0000, kWindowEnd = 0xc0000;

// Whether a block is RAM: the machine's own, or of a memory backend. Those of devices and firmware
// have other names with a dot or a slash ("pc.bios", "0000:00:01.0/vga.vram").
bool IsRam(const StreamBlock& block) {
  const std::string_view name = block.name;
  return name == "pc.ram" || name == "microvm.ram" || name.starts_with("/objects/") ||
         name.find_first_of("/.") == name.npos;
}

// Up to where RAM lies below 4 GiB; what is more of it begins there (pc_q35_init in
// hw/i386/pc_q35.c, pc_init1 in pc_piix.c, microvm_memory_init in microvm.c).
std::optional<uint64_t> LowMemory(std::string_view machine_type, uint64_t size) {
  if (machine_type.find("q35") != machine_type.npos) {
    return size >= 0xb0000000 ? 0x80000000 : 0xb0000000;
  }
  if (machine_type.find("i440fx") != machine_type.npos || machine_type.starts_with("pc-")) {
    return size >= 0xe0000000 ? 0xc0000000 : 0xe0000000;
  }
  if (machine_type.starts_with("microvm")) return 0xc0000000;
  // No type of machine has less of it there.
  return size <= 0x80000000 ? std::optional(size) : std::nullopt;
}

// RAM of one block, at an address.
struct PlacedRam {
  uint64_t pa, size;
  size_t block;
  uint64_t offset;  // in the block
};

class MemoryOfStream : public DumpMemory {
 public:
  MemoryOfStream(const DumpFile& dump, std::vector<StreamBlock> blocks,
                 std::vector<PlacedRam> placed, std::vector<MemoryRegion> regions)
      : DumpMemory(std::move(regions)),
        dump_(dump),
        blocks_(std::move(blocks)),
        placed_(std::move(placed)) {}

  bool Has(Pfn pfn) const override { return Find(pfn).there; }

 protected:
  Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const override {
    const StreamPages::Place place = Find(pfn);
    if (place.at) return dump_.ReadAt(*place.at, out);
    std::memset(out.data(), 0, out.size());
    return {};
  }

 private:
  StreamPages::Place Find(Pfn pfn) const {
    for (const PlacedRam& ram : placed_) {
      const uint64_t into = pfn.pa().value() - ram.pa;
      if (pfn.pa().value() < ram.pa || into >= ram.size) continue;
      return blocks_[ram.block].pages.Find((ram.offset + into) >> kPageShift);
    }
    return {};
  }

  const DumpFile& dump_;
  const std::vector<StreamBlock> blocks_;
  const std::vector<PlacedRam> placed_;
};

// The blocks that are RAM, in the order in which they lie: a stream has them by size.
std::vector<size_t> RamBlocks(const std::vector<StreamBlock>& blocks) {
  std::vector<size_t> ram;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (IsRam(blocks[i])) ram.push_back(i);
  }
  // "ram-node2" comes before "ram-node10".
  std::ranges::sort(ram, [&](size_t a, size_t b) {
    const std::string &x = blocks[a].name, &y = blocks[b].name;
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  return ram;
}

std::vector<MemoryRegion> RegionsOf(uint64_t low, uint64_t high, bool has_vga) {
  const auto region = [](uint64_t begin, uint64_t end) {
    return MemoryRegion{Pfn(begin >> kPageShift), Pfn(end >> kPageShift)};
  };
  std::vector<MemoryRegion> regions;
  regions.push_back(region(0, has_vga ? std::min(low, kWindowBegin) : low));
  if (has_vga && low > kWindowEnd) regions.push_back(region(kWindowEnd, low));
  if (high > 0) regions.push_back(region(kFourGiB, kFourGiB + high));
  return regions;
}

}  // namespace

Result<std::unique_ptr<DumpMemory>> StreamMemory(const DumpFile& dump, QemuStream stream) {
  const std::vector<size_t> ram = RamBlocks(stream.blocks);
  uint64_t size = 0;
  for (const size_t i : ram) size += stream.blocks[i].size & ~(kPageSize - 1);
  constexpr uint64_t kMostRam = uint64_t{1} << 46;
  if (size < kPageSize || size > kMostRam) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("it has {} bytes of RAM, in {} blocks", size, ram.size()));
  }
  const auto most_low = LowMemory(stream.machine_type, size);
  if (!most_low) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("where a machine of type '{}' has its {} MiB of RAM is not known",
                            stream.machine_type, size >> 20));
  }
  const uint64_t low = std::min(size, *most_low);
  const bool has_vga = std::ranges::any_of(stream.blocks, [](const StreamBlock& block) {
    return block.name.find("vga") != std::string::npos;
  });
  std::vector<PlacedRam> placed;
  uint64_t at = 0;  // in RAM, as if it were in one piece
  for (const size_t i : ram) {
    const uint64_t end = at + (stream.blocks[i].size & ~(kPageSize - 1)), begin = at;
    while (at < end) {
      const uint64_t piece_end = at < low ? std::min(end, low) : end;
      placed.push_back({at < low ? at : kFourGiB + (at - low), piece_end - at, i, at - begin});
      at = piece_end;
    }
  }
  return std::unique_ptr<DumpMemory>(new MemoryOfStream(
      dump, std::move(stream.blocks), std::move(placed), RegionsOf(low, size - low, has_vga)));
}

}  // namespace ktstr::vmcore
