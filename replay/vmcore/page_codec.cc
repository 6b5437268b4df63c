#include "replay/vmcore/page_codec.h"

#include <fmt/format.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <memory>

#include "replay/vmcore/kdump_format.h"

namespace ktstr::vmcore {

namespace {

bool Unzlib(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  uLongf size = out.size();
  return uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                    reinterpret_cast<const Bytef*>(in.data()),
                    static_cast<uLong>(in.size())) == Z_OK &&
         size == out.size();
}

bool Unlzo(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  lzo_uint size = out.size();
  return lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(in.data()), in.size(),
                               reinterpret_cast<unsigned char*>(out.data()), &size,
                               nullptr) == LZO_E_OK &&
         size == out.size();
}

bool Unsnappy(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  size_t size = out.size();
  return snappy_uncompress(reinterpret_cast<const char*>(in.data()), in.size(),
                           reinterpret_cast<char*>(out.data()), &size) == SNAPPY_OK &&
         size == out.size();
}

bool Unzstd(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context != nullptr && ZSTD_decompressDCtx(context.get(), out.data(), out.size(), in.data(),
                                                   in.size()) == out.size();
}

}  // namespace

Status DecompressPage(uint32_t flags, std::span<const std::byte> in,
                      std::span<std::byte, kPageSize> out) {
  bool whole = false;
  switch (flags & (kKdumpZlib | kKdumpLzo | kKdumpSnappy | kKdumpZstd)) {
    case 0:
      whole = in.size() == out.size();
      if (whole) std::memcpy(out.data(), in.data(), in.size());
      break;
    case kKdumpZlib:
      whole = Unzlib(in, out);
      break;
    case kKdumpLzo:
      whole = Unlzo(in, out);
      break;
    case kKdumpSnappy:
      whole = Unsnappy(in, out);
      break;
    case kKdumpZstd:
      whole = Unzstd(in, out);
      break;
    default:
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("a page is compressed in a way ({:#x}) that is not known", flags));
  }
  if (!whole) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("{} bytes do not decompress to a page", in.size()));
  }
  return {};
}

}  // namespace ktstr::vmcore
