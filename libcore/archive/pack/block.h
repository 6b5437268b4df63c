// The outer structure of a pack (PACK.md): blocks that follow one another, each with its checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/archive/format.h"
#include "libcore/archive/input_file.h"
#include "libcore/base/output_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

enum class BlockType : uint32_t {
  kPages = FourCharacters("PAGE"),
  kFile = FourCharacters("FILE"),
  kArchive = FourCharacters("ARCH"),
  kEnd = FourCharacters("ENDS"),
};

struct BlockPlace {
  BlockType type = {};
  uint64_t offset = 0;  // of the payload in the file, in bytes
  uint64_t size = 0;    // of the payload, in bytes
  uint64_t checksum = 0;
};

// Errors: kIo.
Status AppendPackHeader(OutputFile& file);
Result<BlockPlace> AppendBlock(OutputFile& file, BlockType type,
                               std::span<const std::byte> payload);
// The last block: the checksum of the checksums of all blocks before it.
Status AppendEnd(OutputFile& file, std::span<const BlockPlace> blocks);

// All blocks but the last, without their payloads. Errors: kDamaged, kUnsupported (a newer
// version), kIo; each names the file.
Result<std::vector<BlockPlace>> ReadBlockPlaces(const InputFile& file);
// A payload, checked. Errors: kDamaged, kIo.
Result<std::vector<std::byte>> ReadBlock(const InputFile& file, const BlockPlace& place);

}  // namespace ktstr::archive
