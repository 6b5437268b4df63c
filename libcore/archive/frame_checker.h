// Finds the memory frames whose compressed bytes do not match their checksums, without
// decompressing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libcore/archive/input_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

// `offsets` holds where each frame begins, and where the last one ends; `threads` 0 is one per CPU.
// Returns the damaged frames' indices, ascending; frames that the file no longer has are damaged.
// Errors: kIo.
Result<std::vector<uint64_t>> CheckFrames(const InputFile& file, std::span<const uint64_t> offsets,
                                          std::span<const uint64_t> checksums, int threads);

}  // namespace ktstr::archive
