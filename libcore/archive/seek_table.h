// The seek table of the Zstandard seekable format 0.1.0, which ends every archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr::archive {

struct SeekEntry {
  uint32_t compressed_size = 0;    // in bytes, the whole frame
  uint32_t decompressed_size = 0;  // in bytes; 0 for skippable frames
};

inline constexpr size_t kSeekTableFooterSize = 9;

// The whole frame: header, entries, footer.
std::vector<std::byte> EncodeSeekTable(std::span<const SeekEntry> entries);

// The size of the whole frame, from the last kSeekTableFooterSize bytes of the file. Errors:
// kDamaged when these are no footer.
Result<uint64_t> SeekTableSize(std::span<const std::byte> footer);

// The entries of a whole frame, where they stand in it: `frame` must be aligned to 4 bytes, and
// outlive them. Errors: kDamaged.
Result<std::span<const SeekEntry>> DecodeSeekTable(std::span<const std::byte> frame);

}  // namespace ktstr::archive
