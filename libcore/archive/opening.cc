#include "libcore/archive/opening.h"

#include <algorithm>

#include "libcore/archive/bytes.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"

namespace ktstr::archive {

namespace {

// The first piece that is not of this opening would decide over its size.
constexpr uint64_t kMostOfOpening = uint64_t{64} << 20;

std::span<const std::byte> GetPart(ByteSource& source) {
  const uint64_t size = source.GetVarint();
  return source.GetBytes(size <= source.left() ? size : source.left() + 1);
}

}  // namespace

std::vector<std::byte> EncodeOpening(std::span<const MemoryRegion> regions,
                                     std::span<const VcpuRegisters> vcpus,
                                     const std::string& metadata) {
  ByteSink sink;
  const auto put = [&sink](std::span<const std::byte> part) {
    sink.PutVarint(part.size());
    sink.PutBytes(part);
  };
  put(EncodeRegions(regions));
  put(EncodeVcpus(vcpus));
  put(std::as_bytes(std::span(metadata)));
  return std::move(sink).Take();
}

void OpeningPieces::Add(const OpeningPiece& piece) {
  if (piece.bytes.empty() || piece.size > kMostOfOpening) return;
  size_ = piece.size;
  pieces_.push_back({piece.offset, {piece.bytes.begin(), piece.bytes.end()}});
}

Result<Opening> OpeningPieces::Finish() const {
  std::vector<Piece> pieces = pieces_;
  std::ranges::sort(pieces, {}, &Piece::offset);
  std::vector<std::byte> whole;
  for (const Piece& piece : pieces) {
    if (piece.offset != whole.size()) break;
    whole.insert(whole.end(), piece.bytes.begin(), piece.bytes.end());
  }
  if (whole.empty() || whole.size() != size_) {
    return Fail(ErrorCode::kDamaged, "the records of the first memory frames are not all there");
  }
  ByteSource source(whole);
  const auto regions = GetPart(source);
  const auto vcpus = GetPart(source);
  const auto metadata = GetPart(source);
  if (!source.ok()) return Fail(ErrorCode::kDamaged, "the opening ends too early");
  return Opening{KTSTR_TRY(DecodeRegions(regions)), KTSTR_TRY(DecodeVcpus(vcpus)),
                 KTSTR_TRY(DecodeMetadata(AsText(metadata)))};
}

}  // namespace ktstr::archive
