// The opening: what the sections RGNS, VCPU and META hold, for the place records of the first
// memory frames, where it survives the loss of the file's end.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/archive/place_record.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"

namespace ktstr::archive {

struct Opening {
  std::vector<MemoryRegion> regions;
  std::vector<VcpuRegisters> vcpus;
  ArchiveMetadata metadata;
};

// `metadata` is the section's payload.
std::vector<std::byte> EncodeOpening(std::span<const MemoryRegion> regions,
                                     std::span<const VcpuRegisters> vcpus,
                                     const std::string& metadata);

// Puts the pieces together. Errors: kDamaged when some are missing or do not fit together.
class OpeningPieces {
 public:
  void Add(const OpeningPiece& piece);
  Result<Opening> Finish() const;

 private:
  struct Piece {
    uint64_t offset;
    std::vector<std::byte> bytes;
  };
  uint64_t size_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace ktstr::archive
