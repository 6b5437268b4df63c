#include "replay/vmcore/page_compressor.h"

#include <zstd.h>

#include <array>
#include <memory>

#include "replay/vmcore/kdump_format.h"
#include "replay/vmcore/zlib_library.h"

namespace ktstr::vmcore {

namespace {

constexpr int kLevel = 1;
using PageBuffer = std::array<std::byte, 2 * kPageSize>;

// How many bytes of `out` it takes up; 0 where it does not compress.
size_t Zlib(std::span<const std::byte, kPageSize> page, PageBuffer& out) {
  uLongf size = out.size();
  const int done = ZlibLibrary::Load()->compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                                                  reinterpret_cast<const Bytef*>(page.data()),
                                                  page.size(), kLevel);
  return done == Z_OK ? size : 0;
}

size_t Zstd(std::span<const std::byte, kPageSize> page, PageBuffer& out) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (context == nullptr) return 0;
  const size_t size =
      ZSTD_compressCCtx(context.get(), out.data(), out.size(), page.data(), page.size(), kLevel);
  return ZSTD_isError(size) != 0 ? 0 : size;
}

}  // namespace

Result<CompressedPages> CompressPages(const FrozenMachine& machine, const std::vector<Pfn>& pages,
                                      PageCompression compression) {
  const bool zlib = compression == PageCompression::kZlib;
  if (zlib && !ZlibLibrary::Load()) return Fail(ZlibLibrary::Load().error());
  CompressedPages all;
  all.pages.reserve(pages.size());
  PageBuffer buffer;
  for (const Pfn pfn : pages) {
    const PageView view = KTSTR_TRY(ViewForExport(machine, pfn));
    const size_t size = zlib ? Zlib(view.bytes(), buffer) : Zstd(view.bytes(), buffer);
    if (size == 0 || size >= kPageSize) {
      all.pages.push_back({static_cast<uint32_t>(kPageSize), 0});
      all.bytes.insert(all.bytes.end(), view.bytes().begin(), view.bytes().end());
    } else {
      all.pages.push_back({static_cast<uint32_t>(size), zlib ? kKdumpZlib : kKdumpZstd});
      all.bytes.insert(all.bytes.end(), buffer.begin(), buffer.begin() + size);
    }
  }
  return all;
}

}  // namespace ktstr::vmcore
