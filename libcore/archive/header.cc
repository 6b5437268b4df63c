#include "libcore/archive/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "libcore/archive/bytes.h"
#include "libcore/archive/checksum.h"

namespace ktstr::archive {

std::array<std::byte, kHeaderSize> EncodeHeader(uint16_t major, uint16_t minor) {
  ByteSink sink;
  sink.Put<uint32_t>(kSkippableMagic);
  sink.Put<uint32_t>(kHeaderSize - kSkippableHeaderSize);
  sink.PutBytes(std::as_bytes(std::span(kHeaderTag)));
  sink.Put<uint16_t>(major);
  sink.Put<uint16_t>(minor);
  sink.Put<uint32_t>(0);
  sink.Put<uint64_t>(Checksum(sink.bytes()));
  std::array<std::byte, kHeaderSize> header;
  std::memcpy(header.data(), sink.bytes().data(), header.size());
  return header;
}

bool LooksLikeHeader(std::span<const std::byte> begin) {
  constexpr size_t kFixed = kSkippableHeaderSize + kHeaderTag.size();
  const auto expected = EncodeHeader(kMajorVersion, kMinorVersion);
  const size_t compared = std::min(begin.size(), kFixed);
  return compared > 0 &&
         std::ranges::equal(begin.first(compared), std::span(expected).first(compared));
}

bool BeginsAsArchive(const InputFile& file) {
  std::vector<std::byte> begin(std::min<uint64_t>(file.size(), kHeaderSize));
  return file.ReadAt(0, begin) && LooksLikeHeader(begin);
}

Status CheckHeader(std::span<const std::byte, kHeaderSize> header) {
  ByteSource source(header);
  source.GetBytes(kSkippableHeaderSize + kHeaderTag.size());
  const uint16_t major = source.Get<uint16_t>();
  const uint16_t minor = source.Get<uint16_t>();
  const uint32_t reserved = source.Get<uint32_t>();
  if (source.Get<uint64_t>() != Checksum(header.first(kHeaderSize - sizeof(uint64_t))) ||
      reserved != 0) {
    return Fail(ErrorCode::kDamaged, "the header does not match its checksum");
  }
  if (major < kOldestMajorVersion || major > kMajorVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("it has format version {}.{}; this program reads {}.x to {}.x", major,
                            minor, kOldestMajorVersion, kMajorVersion));
  }
  return {};
}

}  // namespace ktstr::archive
