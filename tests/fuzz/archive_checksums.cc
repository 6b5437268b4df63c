#include "archive_checksums.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/archive/directory.h"
#include "libcore/archive/format.h"
#include "libcore/archive/seek_table.h"

namespace ktstr::fuzz {

namespace {

using archive::Checksum;
using archive::Digest;

constexpr size_t kEntryBytes = 40;  // of the directory
constexpr size_t kFramesHead = 24;  // of the section FRMS

template <typename T>
T Get(std::span<const std::byte> bytes, uint64_t at) {
  T value = 0;
  if (at <= bytes.size() && bytes.size() - at >= sizeof value) {
    std::memcpy(&value, bytes.data() + at, sizeof value);
  }
  return value;
}

template <typename T>
void Put(std::span<std::byte> bytes, uint64_t at, T value) {
  if (at > bytes.size() || bytes.size() - at < sizeof value) return;
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::optional<std::span<std::byte>> Part(std::span<std::byte> bytes, uint64_t at, uint64_t size) {
  if (at > bytes.size() || size > bytes.size() - at) return std::nullopt;
  return bytes.subspan(at, size);
}

// The seek table's sizes say where each memory frame is.
void RepairFrames(std::span<std::byte> file, std::span<const std::byte> seek_table,
                  std::span<std::byte> section) {
  uint64_t at = archive::kHeaderSize;
  for (size_t i = 0; archive::kSectionHeaderSize + kFramesHead + i * 8 + 8 <= section.size(); ++i) {
    const auto size = Get<uint32_t>(seek_table, archive::kSkippableHeaderSize + (i + 1) * 8);
    const auto frame = Part(file, at, size);
    if (!frame) return;
    Put(section, archive::kSectionHeaderSize + kFramesHead + i * 8, Checksum(*frame));
    at += size;
  }
}

}  // namespace

void RepairArchive(std::span<std::byte> file) {
  if (file.size() < archive::kHeaderSize + archive::kSeekTableFooterSize) return;
  Put(file, 24, Checksum(file.first(24)));
  const auto entries = Get<uint32_t>(file, file.size() - archive::kSeekTableFooterSize);
  const uint64_t seek_size =
      archive::kSkippableHeaderSize + uint64_t{entries} * 8 + archive::kSeekTableFooterSize;
  if (seek_size > file.size()) return;
  const auto seek_table = file.last(seek_size);
  const uint64_t end = file.size() - seek_size;
  if (end < archive::kDirectoryTrailerSize) return;
  const auto directory_size = Get<uint32_t>(file, end - archive::kDirectoryTrailerSize + 8);
  if (directory_size > end || directory_size < archive::kDirectoryTrailerSize + 16) return;
  const auto directory = file.subspan(end - directory_size, directory_size);
  const size_t sections = (directory_size - archive::kDirectoryTrailerSize - 16) / kEntryBytes;
  for (size_t i = 0; i < sections; ++i) {
    const auto entry = directory.subspan(16 + i * kEntryBytes, kEntryBytes);
    const auto section = Part(file, Get<uint64_t>(entry, 8), Get<uint64_t>(entry, 16));
    if (!section) continue;
    if (Get<uint32_t>(entry, 0) == uint32_t(archive::SectionType::kFrames)) {
      RepairFrames(file, seek_table, *section);
    }
    Put(entry, 32, Checksum(*section));
  }
  Put(directory, directory_size - archive::kDirectoryTrailerSize, Checksum(seek_table));
  const Digest digest = archive::DigestOf(directory.first(directory_size - sizeof(Digest)));
  std::ranges::copy(digest, directory.end() - sizeof(Digest));
}

void RepairPack(std::span<std::byte> file) {
  constexpr uint64_t kHead = 16, kBlockHead = 24;
  std::vector<std::byte> sums;
  for (uint64_t at = kHead; at + kBlockHead <= file.size();) {
    const auto payload = Part(file, at + kBlockHead, Get<uint64_t>(file, at + 8));
    if (!payload) return;
    const bool last = Get<uint32_t>(file, at) == archive::FourCharacters("ENDS");
    if (last) {
      Put(*payload, 0, uint64_t{sums.size() / 8});
      Put(*payload, 8, Checksum(sums));
    }
    const uint64_t sum = Checksum(*payload);
    Put(file, at + 16, sum);
    const auto bytes = std::as_bytes(std::span(&sum, 1));
    sums.insert(sums.end(), bytes.begin(), bytes.end());
    at += kBlockHead + payload->size();
    if (last) return;
  }
}

}  // namespace ktstr::fuzz
