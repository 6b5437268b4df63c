#include "libcore/archive/frame_codec.h"

#include <fmt/format.h>
#include <zstd_errors.h>

#include <cstring>

#include "libcore/archive/compression_level.h"

namespace ktstr::archive {

namespace {

// RFC 8878, 3.1.1: the frame's header descriptor follows the magic number, and one of its bits says
// that the low half of the contents' XXH64 follows the last block.
constexpr size_t kDescriptorAt = 4;
constexpr std::byte kHasContentChecksum{0x04};
constexpr size_t kContentChecksumBytes = 4;

uint32_t MagicOf(std::span<const std::byte> frame) {
  uint32_t magic = 0;
  if (frame.size() >= sizeof magic) std::memcpy(&magic, frame.data(), sizeof magic);
  return magic;
}

bool IsSkippableFrame(std::span<const std::byte> bytes) {
  return (MagicOf(bytes) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START &&
         ZSTD_findFrameCompressedSize(bytes.data(), bytes.size()) == bytes.size();
}

}  // namespace

FrameCompressor::FrameCompressor(int level) : context_(ZSTD_createCCtx()) {
  // Out of range levels are clamped by libzstd.
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel,
                         level == kKernelPagesLevel ? 1 : level);
  if (level == kKernelPagesLevel) {
    // A hash table of 8 KiB stays in the CPU's first cache; matches of 5 bytes find again what it
    // forgets. Measured (FORMAT.md, "Levels").
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_hashLog, 11);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_minMatch, 5);
  }
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
}

Result<size_t> FrameCompressor::Compress(std::span<const std::byte> pages,
                                         std::vector<std::byte>& out) {
  const size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(pages.size()));
  const size_t size = ZSTD_compress2(context_.get(), out.data() + begin, out.size() - begin,
                                     pages.data(), pages.size());
  if (ZSTD_isError(size)) {
    const bool short_of_memory = ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation;
    return Fail(short_of_memory ? ErrorCode::kIo : ErrorCode::kInvalidArgument,
                fmt::format("compressing {} bytes: {}", pages.size(), ZSTD_getErrorName(size)));
  }
  out.resize(begin + size);
  return size;
}

Status DecompressFrame(std::span<const std::byte> frame, std::span<std::byte> out) {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  const size_t size =
      ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("it does not decompress ({})", ZSTD_getErrorName(size)));
  }
  if (size != out.size()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("it decompresses to {} bytes instead of {}", size, out.size()));
  }
  return {};
}

Status DecompressComparedFrame(std::span<std::byte> frame, std::span<std::byte> out) {
  const size_t size = MagicOf(frame) == ZSTD_MAGICNUMBER
                          ? ZSTD_findFrameCompressedSize(frame.data(), frame.size())
                          : 0;
  // Anything else than a frame with its checksum and perhaps a place record is judged by libzstd.
  if (ZSTD_isError(size) || size <= kDescriptorAt + kContentChecksumBytes ||
      (frame[kDescriptorAt] & kHasContentChecksum) == std::byte{} ||
      !(size == frame.size() || IsSkippableFrame(frame.subspan(size)))) {
    return DecompressFrame(frame, out);
  }
  // Without that bit it is the same frame without a checksum. That of task_structs, which are
  // mostly zeros, would take a seventh of their decompression.
  frame[kDescriptorAt] &= ~kHasContentChecksum;
  return DecompressFrame(frame.first(size - kContentChecksumBytes), out);
}

}  // namespace ktstr::archive
