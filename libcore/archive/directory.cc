#include "libcore/archive/directory.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/archive/bytes.h"

namespace ktstr::archive {

namespace {

constexpr uint32_t kTrailerTag = FourCharacters("KTSD");
constexpr size_t kEntrySize = 40;
constexpr size_t kFixedSize = 16 + kDirectoryTrailerSize;

tl::unexpected<Error> Malformed() {
  return Fail(ErrorCode::kDamaged, "the directory is malformed");
}

}  // namespace

uint64_t DirectorySize(uint64_t sections) { return kFixedSize + sections * kEntrySize; }

std::vector<std::byte> EncodeDirectory(Directory& directory) {
  const uint64_t size = DirectorySize(directory.sections.size());
  ByteSink sink;
  sink.Put<uint32_t>(kSkippableMagic);
  sink.Put<uint32_t>(static_cast<uint32_t>(size - kSkippableHeaderSize));
  sink.Put<uint32_t>(static_cast<uint32_t>(directory.sections.size()));
  sink.Put<uint32_t>(0);
  for (const DirectoryEntry& section : directory.sections) {
    sink.Put<uint32_t>(static_cast<uint32_t>(section.type));
    sink.Put<uint32_t>(static_cast<uint32_t>(section.encoding));
    sink.Put<uint64_t>(section.offset);
    sink.Put<uint64_t>(section.frame_size);
    sink.Put<uint64_t>(section.payload_size);
    sink.Put<uint64_t>(section.checksum);
  }
  sink.Put<uint64_t>(directory.seek_table_checksum);
  sink.Put<uint32_t>(static_cast<uint32_t>(size));
  sink.Put<uint32_t>(kTrailerTag);
  directory.digest = DigestOf(sink.bytes());
  sink.PutBytes(directory.digest);
  return std::move(sink).Take();
}

Result<uint64_t> DirectorySizeFromTrailer(std::span<const std::byte> trailer) {
  ByteSource source(trailer);
  source.Get<uint64_t>();
  const uint32_t size = source.Get<uint32_t>();
  if (source.Get<uint32_t>() != kTrailerTag || size < kFixedSize ||
      size > DirectorySize(kMaxSections) || (size - kFixedSize) % kEntrySize != 0) {
    return Malformed();
  }
  return size;
}

Result<Directory> DecodeDirectory(std::span<const std::byte> frame) {
  if (frame.size() < kFixedSize) return Malformed();
  Directory directory;
  directory.digest = DigestOf(frame.first(frame.size() - sizeof(Digest)));
  if (!std::ranges::equal(frame.last(sizeof(Digest)), directory.digest)) {
    return Fail(ErrorCode::kDamaged, "the directory does not match its digest");
  }
  ByteSource source(frame);
  const uint32_t magic = source.Get<uint32_t>();
  const uint32_t size = source.Get<uint32_t>();
  const uint64_t sections = source.Get<uint32_t>();
  const uint32_t reserved = source.Get<uint32_t>();
  if (magic != kSkippableMagic || size != frame.size() - kSkippableHeaderSize ||
      DirectorySize(sections) != frame.size() || reserved != 0) {
    return Malformed();
  }
  for (uint64_t i = 0; i < sections; ++i) {
    DirectoryEntry section;
    section.type = static_cast<SectionType>(source.Get<uint32_t>());
    section.encoding = static_cast<SectionEncoding>(source.Get<uint32_t>());
    section.offset = source.Get<uint64_t>();
    section.frame_size = source.Get<uint64_t>();
    section.payload_size = source.Get<uint64_t>();
    section.checksum = source.Get<uint64_t>();
    directory.sections.push_back(section);
  }
  directory.seek_table_checksum = source.Get<uint64_t>();
  return directory;
}

std::string DigestText(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) text += fmt::format("{:02x}", std::to_integer<uint8_t>(byte));
  return text;
}

}  // namespace ktstr::archive
