// Fills the RAM of a machine that does not run yet with an archive's pages.
#pragma once

#include <span>

#include "capture/qemu/ram_map.h"
#include "libcore/archive/reader.h"
#include "libcore/base/result.h"

namespace ktstr {

// RAM below 1 MiB that a machine at reset covers with firmware lies in the file where its
// neighbours say that it lies: such gaps of the map are closed.
std::vector<RamPiece> CloseLowGaps(std::vector<RamPiece> pieces);

// Errors: kUnsupported, naming the addresses, when the archive has RAM where the machine has none.
Status CheckRamCovers(std::span<const RamPiece> pieces, std::span<const MemoryRegion> regions);

// Whether each of those pages lies in the same place by both maps.
bool SamePlaces(std::span<const RamPiece> a, std::span<const RamPiece> b,
                std::span<const MemoryRegion> regions);

// Makes every page of the machine what it is in the archive. Errors:
// kUnsupported when pages were left out; kDamaged for a damaged archive; as LiveMemory::Map.
Status FillMemory(const ArchiveReader& archive, RamMap map);

}  // namespace ktstr
