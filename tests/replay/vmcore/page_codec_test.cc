// Proves: pages are decompressed from what each of the formats' libraries makes of them, whole or
// not at all.
#include "replay/vmcore/page_codec.h"

#include <gtest/gtest.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cstring>
#include <string>

#include "replay/vmcore/kdump_format.h"

namespace ktstr::vmcore {
namespace {

// Compresses `page` by the library of `flags`.
std::string Compressed(uint32_t flags, const std::string& page) {
  std::string out(4 * kPageSize, '\0');
  size_t size = out.size();
  if (flags == kKdumpZlib) {
    uLongf zlib = size;
    compress(reinterpret_cast<Bytef*>(out.data()), &zlib,
             reinterpret_cast<const Bytef*>(page.data()), page.size());
    size = zlib;
  } else if (flags == kKdumpLzo) {
    std::string work(LZO1X_1_MEM_COMPRESS, '\0');
    lzo_uint lzo = size;
    lzo1x_1_compress(reinterpret_cast<const unsigned char*>(page.data()), page.size(),
                     reinterpret_cast<unsigned char*>(out.data()), &lzo, work.data());
    size = lzo;
  } else if (flags == kKdumpSnappy) {
    snappy_compress(page.data(), page.size(), out.data(), &size);
  } else if (flags == kKdumpZstd) {
    size = ZSTD_compress(out.data(), out.size(), page.data(), page.size(), 1);
  } else {
    return page;
  }
  out.resize(size);
  return out;
}

TEST(PageCodecTest, WholeOrNotAtAll) {
  std::string page;
  while (page.size() < kPageSize) page += std::to_string(page.size() * page.size());
  page.resize(kPageSize);
  for (const uint32_t flags : {uint32_t{0}, kKdumpZlib, kKdumpLzo, kKdumpSnappy, kKdumpZstd}) {
    SCOPED_TRACE(flags);
    const std::string compressed = Compressed(flags, page);
    std::array<std::byte, kPageSize> out;
    ASSERT_TRUE(DecompressPage(flags, std::as_bytes(std::span(compressed)), out));
    EXPECT_EQ(std::memcmp(out.data(), page.data(), kPageSize), 0);
    const std::string cut = compressed.substr(0, compressed.size() / 2);
    EXPECT_FALSE(DecompressPage(flags, std::as_bytes(std::span(cut)), out));
    // One that is more, or less, than a page.
    for (const std::string& other : {page + page, page.substr(1)}) {
      const std::string wrong = Compressed(flags, other);
      EXPECT_FALSE(DecompressPage(flags, std::as_bytes(std::span(wrong)), out));
    }
  }
  std::array<std::byte, kPageSize> out;
  EXPECT_EQ(DecompressPage(kKdumpZlib | kKdumpLzo, {}, out).error().code(),
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace ktstr::vmcore
