// One memory frame: pages to and from a Zstandard frame.
#pragma once

#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr::archive {

// Not for more than one thread at a time.
class FrameCompressor {
 public:
  // `level` is kKernelPagesLevel or one of zstd's.
  explicit FrameCompressor(int level);

  // Appends one frame that holds `pages` to `out`, with content size and content checksum; returns
  // its size in bytes. Errors: kInvalidArgument (what libzstd says of its parameters).
  Result<size_t> Compress(std::span<const std::byte> pages, std::vector<std::byte>& out);

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

// Decompresses `frame`, which must hold exactly `out.size()` bytes. Uses a context of the calling
// thread's own. Errors: kDamaged.
Status DecompressFrame(std::span<const std::byte> frame, std::span<std::byte> out);
// The same of a memory frame, with its place record, whose compressed bytes were compared with a
// checksum: what follows from them is not compared once more with that of the contents. `frame` is
// not the same afterwards.
Status DecompressComparedFrame(std::span<std::byte> frame, std::span<std::byte> out);

}  // namespace ktstr::archive
