#include "libcore/archive/sections.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "libcore/archive/bytes.h"
#include "libcore/archive/format.h"

namespace ktstr::archive {

Status CheckRegions(std::span<const MemoryRegion> regions) {
  Pfn previous_end(0);
  uint64_t pages = 0;
  for (const MemoryRegion& region : regions) {
    if (region.begin < previous_end || region.end <= region.begin || region.end.value() > kMaxPfn) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the memory region of page frames {:#x} to {:#x} is empty, out of "
                              "order or too high",
                              region.begin.value(), region.end.value()));
    }
    pages += region.page_count();
    if (pages > kMaxPages) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the memory regions have more than {} pages", kMaxPages));
    }
    previous_end = region.end;
  }
  return {};
}

std::vector<std::byte> EncodeRegions(std::span<const MemoryRegion> regions) {
  ByteSink sink;
  for (const MemoryRegion& region : regions) {
    sink.Put<uint64_t>(region.begin.value());
    sink.Put<uint64_t>(region.end.value());
  }
  return std::move(sink).Take();
}

Result<std::vector<MemoryRegion>> DecodeRegions(std::span<const std::byte> payload) {
  constexpr size_t kEntrySize = 16;
  if (payload.size() % kEntrySize != 0) {
    return Fail(ErrorCode::kDamaged, "the memory regions are cut off");
  }
  std::vector<MemoryRegion> regions;
  regions.reserve(payload.size() / kEntrySize);
  for (ByteSource source(payload); source.left() > 0;) {
    const Pfn begin(source.Get<uint64_t>());
    const Pfn end(source.Get<uint64_t>());
    regions.push_back({begin, end});
  }
  if (Status status = CheckRegions(regions); !status) {
    return Fail(ErrorCode::kDamaged, status.error().message());
  }
  return regions;
}

std::vector<std::byte> EncodeFrameInfo(const FrameInfo& frames) {
  ByteSink sink;
  sink.Put<uint32_t>(frames.pages_per_frame);
  sink.Put<uint32_t>(0);
  sink.Put<uint64_t>(frames.stored_pages);
  sink.PutBytes(std::as_bytes(std::span(frames.checksums)));
  return std::move(sink).Take();
}

Result<FrameInfo> DecodeFrameInfo(std::span<const std::byte> payload, const Container& container) {
  ByteSource source(payload);
  FrameInfo frames;
  frames.pages_per_frame = source.Get<uint32_t>();
  const uint32_t reserved = source.Get<uint32_t>();
  frames.stored_pages = source.Get<uint64_t>();
  const uint64_t count = container.frame_count();
  if (!source.ok() || reserved != 0 || source.left() != count * sizeof(uint64_t)) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("the section of memory frames is not for {} of them", count));
  }
  if (!std::has_single_bit(frames.pages_per_frame) || frames.pages_per_frame > kMaxPagesPerFrame) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} is no valid number of pages in a memory frame",
                                                 frames.pages_per_frame));
  }
  const uint64_t frame_bytes = frames.pages_per_frame * kPageSize;
  const uint64_t full_frames = count > 0 ? count - 1 : 0;
  const bool same_size = count < 2 || container.frame_bytes == frame_bytes;
  const uint64_t stored_bytes = full_frames * frame_bytes + container.last_frame_bytes;
  if (!same_size || container.last_frame_bytes > frame_bytes || frames.stored_pages > kMaxPages ||
      stored_bytes != frames.stored_pages * kPageSize) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("{} memory frames cannot hold {} stored pages, {} in a frame", count,
                            frames.stored_pages, frames.pages_per_frame));
  }
  const auto checksums = source.GetBytes(count * sizeof(uint64_t));
  frames.checksums.resize(count);
  if (count > 0) std::memcpy(frames.checksums.data(), checksums.data(), checksums.size());
  return frames;
}

}  // namespace ktstr::archive
