// The small sections: memory regions (RGNS) and memory frames (FRMS).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/archive/container.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr::archive {

// Sorted, disjoint, not empty, together at most kMaxPages pages. Errors: kInvalidArgument.
Status CheckRegions(std::span<const MemoryRegion> regions);
std::vector<std::byte> EncodeRegions(std::span<const MemoryRegion> regions);
// Errors: kDamaged.
Result<std::vector<MemoryRegion>> DecodeRegions(std::span<const std::byte> payload);

struct FrameInfo {
  uint32_t pages_per_frame = 0;
  uint64_t stored_pages = 0;
  std::vector<uint64_t> checksums;  // of each memory frame's compressed bytes
};

std::vector<std::byte> EncodeFrameInfo(const FrameInfo& frames);
// Decodes and compares with the frames that the container has. Errors: kDamaged.
Result<FrameInfo> DecodeFrameInfo(std::span<const std::byte> payload, const Container& container);

}  // namespace ktstr::archive
