#include "replay/vmcore/page_codec.h"

#include <fmt/format.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <zstd.h>

#include <cstring>
#include <memory>

#include "libcore/base/shared_library.h"
#include "replay/vmcore/kdump_format.h"
#include "replay/vmcore/zlib_library.h"

namespace ktstr::vmcore {

namespace {

bool Unzlib(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  uLongf size = out.size();
  return ZlibLibrary::Load()->uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                         reinterpret_cast<const Bytef*>(in.data()),
                                         static_cast<uLong>(in.size())) == Z_OK &&
         size == out.size();
}

// Few dumps need these, and all programs would load them at their start.
Result<decltype(&lzo1x_decompress_safe)> LoadLzo() {
  const auto library =
      KTSTR_TRY(SharedLibrary::Load("liblzo2.so.2", "decompressing what LZO has compressed"));
  decltype(&lzo1x_decompress_safe) decompress = nullptr;
  KTSTR_TRY(library.Find("lzo1x_decompress_safe", decompress));
  return decompress;
}

Result<decltype(&snappy_uncompress)> LoadSnappy() {
  const auto library =
      KTSTR_TRY(SharedLibrary::Load("libsnappy.so.1", "decompressing what snappy has compressed"));
  decltype(&snappy_uncompress) decompress = nullptr;
  KTSTR_TRY(library.Find("snappy_uncompress", decompress));
  return decompress;
}

const Result<decltype(&lzo1x_decompress_safe)>& LoadedLzo() {
  static const auto lzo = LoadLzo();
  return lzo;
}

const Result<decltype(&snappy_uncompress)>& LoadedSnappy() {
  static const auto snappy = LoadSnappy();
  return snappy;
}

bool Unlzo(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  lzo_uint size = out.size();
  return (*LoadedLzo())(reinterpret_cast<const unsigned char*>(in.data()), in.size(),
                        reinterpret_cast<unsigned char*>(out.data()), &size, nullptr) == LZO_E_OK &&
         size == out.size();
}

bool Unsnappy(std::span<const std::byte> in, std::span<std::byte, kPageSize> out) {
  size_t size = out.size();
  return (*LoadedSnappy())(reinterpret_cast<const char*>(in.data()), in.size(),
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

Status FindDecompressors(uint32_t flags) {
  if ((flags & kKdumpZlib) != 0 && !ZlibLibrary::Load()) return Fail(ZlibLibrary::Load().error());
  if ((flags & kKdumpLzo) != 0 && !LoadedLzo()) return Fail(LoadedLzo().error());
  if ((flags & kKdumpSnappy) != 0 && !LoadedSnappy()) return Fail(LoadedSnappy().error());
  return {};
}

Status DecompressPage(uint32_t flags, std::span<const std::byte> in,
                      std::span<std::byte, kPageSize> out) {
  KTSTR_TRY(FindDecompressors(flags));
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
