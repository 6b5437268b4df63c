#include "libcore/archive/container.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>
#include <span>

#include "libcore/archive/bytes.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/header.h"
#include "libcore/archive/other_format.h"
#include "libcore/archive/seek_table.h"

namespace ktstr::archive {

namespace {

using Bytes = std::vector<std::byte>;

tl::unexpected<Error> Damaged(std::string what) {
  return Fail(ErrorCode::kDamaged, std::move(what));
}

Result<Bytes> ReadBytes(const InputFile& file, uint64_t offset, uint64_t size) {
  Bytes bytes(size);
  KTSTR_TRY(file.ReadAt(offset, bytes));
  return bytes;
}

Status ReadHeader(const InputFile& file) {
  if (file.size() == 0) return Damaged(file.name() + " is empty, not a .kts archive");
  const Bytes begin = KTSTR_TRY(ReadBytes(file, 0, std::min<uint64_t>(file.size(), kHeaderSize)));
  if (!LooksLikeHeader(begin)) {
    const Bytes more =
        KTSTR_TRY(ReadBytes(file, 0, std::min<uint64_t>(file.size(), kTellingBytes)));
    const std::string_view what = OtherFormat(more);
    return Damaged(fmt::format("{} {}", file.name(),
                               what.empty() ? "is not a .kts archive (it does not begin with the "
                                              "header of one)"
                                            : what));
  }
  if (begin.size() < kHeaderSize) {
    return Damaged(fmt::format("{} is truncated: {} bytes are not even a whole header", file.name(),
                               begin.size()));
  }
  Status header = CheckHeader(std::span<const std::byte>(begin).first<kHeaderSize>());
  if (!header) return Fail(InFile(file, std::move(header).error()));
  return {};
}

// A part that ends where the next one, further towards the end of the file, begins.
struct Part {
  uint64_t offset;
  Bytes bytes;
};

Result<Part> ReadSeekTable(const InputFile& file) {
  const std::string truncated = file.name() + " is truncated, or its end is damaged: ";
  if (file.size() < kHeaderSize + kSeekTableFooterSize) {
    return Damaged(truncated + "it does not end in a seek table");
  }
  const Bytes footer =
      KTSTR_TRY(ReadBytes(file, file.size() - kSeekTableFooterSize, kSeekTableFooterSize));
  const Result<uint64_t> size = SeekTableSize(footer);
  if (!size) return Damaged(truncated + size.error().message());
  if (*size > file.size() - kHeaderSize) {
    return Damaged(truncated + "its seek table would be larger than the file");
  }
  const uint64_t offset = file.size() - *size;
  return Part{offset, KTSTR_TRY(ReadBytes(file, offset, *size))};
}

Result<Part> ReadDirectory(const InputFile& file, uint64_t end) {
  if (end < kHeaderSize + kDirectoryTrailerSize) return Damaged("it has no directory");
  const Bytes trailer =
      KTSTR_TRY(ReadBytes(file, end - kDirectoryTrailerSize, kDirectoryTrailerSize));
  const uint64_t size = KTSTR_TRY(DirectorySizeFromTrailer(trailer));
  if (size > end - kHeaderSize) return Damaged("the directory would be larger than the file");
  return Part{end - size, KTSTR_TRY(ReadBytes(file, end - size, size))};
}

std::string SectionName(SectionType type) {
  std::string name;
  for (int shift = 0; shift < 32; shift += 8) {
    const auto c = static_cast<unsigned char>(static_cast<uint32_t>(type) >> shift);
    name += std::isprint(c) ? static_cast<char>(c) : '?';
  }
  return name;
}

// The sections stand one after the other from `begin` to `end`, as the entries of the seek table
// say.
Status CheckSections(std::span<const DirectoryEntry> sections, std::span<const SeekEntry> entries,
                     uint64_t begin, uint64_t end) {
  uint64_t offset = begin;
  for (size_t i = 0; i < sections.size(); ++i) {
    const DirectoryEntry& section = sections[i];
    const bool sized = section.frame_size >= kSectionHeaderSize &&
                       section.frame_size == entries[i].compressed_size &&
                       entries[i].decompressed_size == 0;
    if (section.offset != offset || !sized) {
      return Damaged(
          fmt::format("section {} is not where the seek table has it", SectionName(section.type)));
    }
    const auto same_type = [&](const DirectoryEntry& e) { return e.type == section.type; };
    if (std::any_of(sections.begin(), sections.begin() + i, same_type)) {
      return Damaged(fmt::format("there are two sections {}", SectionName(section.type)));
    }
    offset += section.frame_size;
  }
  if (offset != end) return Damaged("the sections do not end where the directory begins");
  return {};
}

// The memory frames: all of the same decompressed size but the last, which may be smaller.
Status PlaceFrames(std::span<const SeekEntry> entries, Container& container) {
  container.frame_offsets.reserve(entries.size() + 1);
  uint64_t offset = kHeaderSize;
  container.frame_offsets.push_back(offset);
  if (entries.empty()) return {};
  const uint64_t frame_bytes = entries.front().decompressed_size;
  const uint64_t last_bytes = entries.back().decompressed_size;
  const size_t bound = ZSTD_compressBound(frame_bytes) + kFrameSlack;
  bool valid = frame_bytes > 0 && frame_bytes % kPageSize == 0 && last_bytes % kPageSize == 0 &&
               last_bytes > 0 && last_bytes <= frame_bytes &&
               frame_bytes <= kMaxPagesPerFrame * kPageSize;
  for (size_t i = 0; i < entries.size(); ++i) {
    valid &= entries[i].compressed_size > 0 && entries[i].compressed_size <= bound;
    valid &= entries[i].decompressed_size == frame_bytes || i + 1 == entries.size();
    offset += entries[i].compressed_size;
    container.frame_offsets.push_back(offset);
  }
  if (!valid) return Damaged("the seek table has memory frames of impossible sizes");
  container.frame_bytes = frame_bytes;
  container.last_frame_bytes = last_bytes;
  return {};
}

Status CheckParts(const Directory& directory, uint64_t directory_offset, uint64_t directory_size,
                  std::span<const SeekEntry> entries, Container& container) {
  const size_t sections = directory.sections.size();
  if (entries.size() < sections + 2) return Damaged("the seek table has too few entries");
  const auto is_skippable = [](const SeekEntry& entry, uint64_t size) {
    return entry.compressed_size == size && entry.decompressed_size == 0;
  };
  if (!is_skippable(entries.front(), kHeaderSize) ||
      !is_skippable(entries.back(), directory_size)) {
    return Damaged("the seek table does not fit the header or the directory");
  }
  const size_t frames = entries.size() - sections - 2;
  KTSTR_TRY(PlaceFrames(entries.subspan(1, frames), container));
  return CheckSections(directory.sections, entries.subspan(1 + frames, sections),
                       container.frame_offsets.back(), directory_offset);
}

// The section's whole frame, found to match its checksum.
Result<Bytes> ReadSectionFrame(const InputFile& file, const DirectoryEntry& section) {
  Bytes frame = KTSTR_TRY(ReadBytes(file, section.offset, section.frame_size));
  if (Checksum(frame) != section.checksum) {
    return Damaged(
        fmt::format("section {} does not match its checksum", SectionName(section.type)));
  }
  ByteSource source(frame);
  const uint32_t magic = source.Get<uint32_t>();
  const uint32_t size = source.Get<uint32_t>();
  const uint32_t type = source.Get<uint32_t>();
  if (magic != kSkippableMagic || size != frame.size() - kSkippableHeaderSize ||
      type != static_cast<uint32_t>(section.type)) {
    return Damaged(fmt::format("section {} is malformed", SectionName(section.type)));
  }
  return frame;
}

Result<SectionPayload> DecodePayload(const DirectoryEntry& section, Bytes frame) {
  const auto payload = std::span<const std::byte>(frame).subspan(kSectionHeaderSize);
  switch (section.encoding) {
    case SectionEncoding::kRaw:
      if (payload.size() != section.payload_size) break;
      return SectionPayload(std::move(frame), kSectionHeaderSize);
    case SectionEncoding::kZstd: {
      if (section.payload_size / kMaxSectionRatio > payload.size()) break;
      Bytes decoded(section.payload_size);
      if (!DecompressFrame(payload, decoded)) break;
      return SectionPayload(std::move(decoded), 0);
    }
    default:
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("section {} is encoded in an unknown way ({})",
                              SectionName(section.type), static_cast<uint32_t>(section.encoding)));
  }
  return Damaged(fmt::format("section {} does not decode to {} bytes", SectionName(section.type),
                             section.payload_size));
}

Result<Container> ReadParts(const InputFile& file, const Part& seek_table) {
  const Part directory_part = KTSTR_TRY(ReadDirectory(file, seek_table.offset));
  Directory directory = KTSTR_TRY(DecodeDirectory(directory_part.bytes));
  if (Checksum(seek_table.bytes) != directory.seek_table_checksum) {
    return Damaged("the seek table does not match its checksum");
  }
  const std::span<const SeekEntry> entries = KTSTR_TRY(DecodeSeekTable(seek_table.bytes));
  Container container;
  KTSTR_TRY(CheckParts(directory, directory_part.offset, directory_part.bytes.size(), entries,
                       container));
  container.digest = DigestText(directory.digest);
  container.sections = std::move(directory.sections);
  return container;
}

}  // namespace

const DirectoryEntry* Container::Find(SectionType type) const {
  const auto found = std::ranges::find(sections, type, &DirectoryEntry::type);
  return found == sections.end() ? nullptr : &*found;
}

Result<Container> ReadContainer(const InputFile& file) {
  KTSTR_TRY(ReadHeader(file));
  return ReadContainerFromEnd(file);
}

Result<Container> ReadContainerFromEnd(const InputFile& file) {
  const Part seek_table = KTSTR_TRY(ReadSeekTable(file));
  Result<Container> container = ReadParts(file, seek_table);
  if (!container) return Fail(InFile(file, std::move(container).error()));
  return container;
}

Result<SectionPayload> ReadSection(const InputFile& file, const DirectoryEntry& section) {
  return DecodePayload(section, KTSTR_TRY(ReadSectionFrame(file, section)));
}

Status CheckSection(const InputFile& file, const DirectoryEntry& section) {
  KTSTR_TRY(ReadSectionFrame(file, section));
  return {};
}

}  // namespace ktstr::archive
