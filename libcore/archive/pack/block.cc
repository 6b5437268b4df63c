#include "libcore/archive/pack/block.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libcore/archive/bytes.h"
#include "libcore/archive/checksum.h"

namespace ktstr::archive {

namespace {

constexpr std::array<uint8_t, 8> kMagic = {0x89, 'K', 'T', 'S', 'P', 0x0d, 0x0a, 0x1a};
constexpr uint32_t kVersion = 1;
constexpr size_t kPackHeaderSize = 16;
constexpr size_t kBlockPackHeaderSize = 24;

uint64_t ChecksumOfAll(std::span<const BlockPlace> blocks) {
  ByteSink sums;
  for (const BlockPlace& block : blocks) sums.Put<uint64_t>(block.checksum);
  return Checksum(sums.bytes());
}

Error Damaged(const InputFile& file, const std::string& what) {
  return InFile(file, Error(ErrorCode::kDamaged, what));
}

Status CheckHeader(const InputFile& file) {
  std::array<std::byte, kPackHeaderSize> header{};
  if (file.size() < kPackHeaderSize) return Fail(Damaged(file, "it is too short for a pack"));
  KTSTR_TRY(file.ReadAt(0, header));
  ByteSource source(header);
  for (const uint8_t byte : kMagic) {
    if (source.Get<uint8_t>() != byte) return Fail(Damaged(file, "it is no pack of archives"));
  }
  const auto version = source.Get<uint32_t>();
  if (version == kVersion) return {};
  return Fail(InFile(file, Error(ErrorCode::kUnsupported,
                                 fmt::format("it is a pack of version {}; this program knows {}",
                                             version, kVersion))));
}

Result<BlockPlace> ReadBlockHeader(const InputFile& file, uint64_t offset) {
  std::array<std::byte, kBlockPackHeaderSize> header{};
  if (file.size() - offset < kBlockPackHeaderSize) {
    return Fail(Damaged(file, fmt::format("it ends at {:#x}, without its last block", offset)));
  }
  KTSTR_TRY(file.ReadAt(offset, header));
  ByteSource source(header);
  BlockPlace place;
  place.type = BlockType(source.Get<uint32_t>());
  const bool reserved = source.Get<uint32_t>() == 0;
  place.size = source.Get<uint64_t>();
  place.checksum = source.Get<uint64_t>();
  place.offset = offset + kBlockPackHeaderSize;
  const bool known = place.type == BlockType::kPages || place.type == BlockType::kFile ||
                     place.type == BlockType::kArchive || place.type == BlockType::kEnd;
  if (!reserved || !known || place.size > file.size() - place.offset) {
    return Fail(Damaged(file, fmt::format("there is no block at {:#x}", offset)));
  }
  return place;
}

}  // namespace

Status AppendPackHeader(OutputFile& file) {
  ByteSink header;
  header.PutBytes(std::as_bytes(std::span(kMagic)));
  header.Put<uint32_t>(kVersion);
  header.Put<uint32_t>(0);
  return file.Append(header.bytes());
}

Result<BlockPlace> AppendBlock(OutputFile& file, BlockType type,
                               std::span<const std::byte> payload) {
  const BlockPlace place{type, file.size() + kBlockPackHeaderSize, payload.size(),
                         Checksum(payload)};
  ByteSink header;
  header.Put<uint32_t>(uint32_t(type));
  header.Put<uint32_t>(0);
  header.Put<uint64_t>(place.size);
  header.Put<uint64_t>(place.checksum);
  KTSTR_TRY(file.Append(header.bytes()));
  KTSTR_TRY(file.Append(payload));
  return place;
}

Status AppendEnd(OutputFile& file, std::span<const BlockPlace> blocks) {
  ByteSink payload;
  payload.Put<uint64_t>(blocks.size());
  payload.Put<uint64_t>(ChecksumOfAll(blocks));
  KTSTR_TRY(AppendBlock(file, BlockType::kEnd, payload.bytes()));
  return {};
}

Result<std::vector<BlockPlace>> ReadBlockPlaces(const InputFile& file) {
  KTSTR_TRY(CheckHeader(file));
  std::vector<BlockPlace> blocks;
  for (uint64_t offset = kPackHeaderSize;;) {
    const BlockPlace place = KTSTR_TRY(ReadBlockHeader(file, offset));
    offset = place.offset + place.size;
    if (place.type != BlockType::kEnd) {
      blocks.push_back(place);
      continue;
    }
    const std::vector<std::byte> payload = KTSTR_TRY(ReadBlock(file, place));
    ByteSource source(payload);
    const auto count = source.Get<uint64_t>();
    const auto sum = source.Get<uint64_t>();
    if (!source.ok() || source.left() != 0 || count != blocks.size() ||
        sum != ChecksumOfAll(blocks) || offset != file.size()) {
      return Fail(Damaged(file, "its last block does not fit the others"));
    }
    return blocks;
  }
}

Result<std::vector<std::byte>> ReadBlock(const InputFile& file, const BlockPlace& place) {
  std::vector<std::byte> payload(place.size);
  KTSTR_TRY(file.ReadAt(place.offset, payload));
  if (Checksum(payload) == place.checksum) return payload;
  return Fail(
      Damaged(file, fmt::format("the block at {:#x} is not what was written", place.offset)));
}

}  // namespace ktstr::archive
