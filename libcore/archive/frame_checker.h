// Finds the memory frames that are damaged.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libcore/archive/container.h"
#include "libcore/archive/input_file.h"
#include "libcore/archive/sections.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

// Those whose compressed bytes do not match their checksums. `offsets` holds where each frame
// begins, and where the last one ends; `threads` 0 is one per CPU. Returns the damaged frames'
// indices, ascending; frames that the file no longer has are damaged. Errors: kIo.
Result<std::vector<uint64_t>> CheckFrames(const InputFile& file, std::span<const uint64_t> offsets,
                                          std::span<const uint64_t> checksums, int threads);

// The same of all frames of a container, by the section FRMS; where there is none (null), by the
// frames' own content checksums, which takes decompressing.
Result<std::vector<uint64_t>> DamagedFrames(const InputFile& file, const Container& container,
                                            const FrameInfo* info);

}  // namespace ktstr::archive
