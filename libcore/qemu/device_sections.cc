#include "libcore/qemu/device_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using Bytes = std::span<const std::byte>;

// Markers (QEMU_VM_* in migration/savevm.h).
constexpr std::byte kEndOfSections{0x00};
constexpr std::byte kSectionFull{0x04};
constexpr std::byte kSectionFooter{0x7e};

constexpr std::string_view kMagic = "QEVM";
constexpr size_t kFileHeader = 8;  // magic, version
constexpr size_t kFooter = 1 + 4;  // marker, number
// Of a device's layout: the highest is 10000, of i6300esb, the watchdog that libvirt's and
// virtme-ng's guests have.
constexpr uint32_t kMaxVersion = 100000;

Error Damaged(std::string what) {
  return Error(ErrorCode::kDamaged, "the VMM's device state is damaged: " + std::move(what));
}

uint32_t Number(Bytes bytes) {
  uint32_t value = 0;
  for (const std::byte b : bytes.first(4)) value = value << 8 | std::to_integer<uint32_t>(b);
  return value;
}

struct Header {
  DeviceSection section;  // without contents
  uint32_t number = 0;
  size_t size = 0;  // in bytes
};

// Marker, number, length of the name, name, instance, version.
std::optional<Header> HeaderAt(Bytes bytes) {
  constexpr size_t kBeforeName = 1 + 4 + 1;
  if (bytes.size() < kBeforeName || bytes[0] != kSectionFull) return std::nullopt;
  const auto length = std::to_integer<size_t>(bytes[5]);
  Header header;
  header.size = kBeforeName + length + 8;
  if (length == 0 || bytes.size() < header.size) return std::nullopt;
  header.number = Number(bytes.subspan(1));
  header.section.name = {reinterpret_cast<const char*>(bytes.data()) + kBeforeName, length};
  header.section.instance = Number(bytes.subspan(kBeforeName + length));
  header.section.version = Number(bytes.subspan(kBeforeName + length + 4));
  const bool printable =
      std::ranges::all_of(header.section.name, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!printable || header.section.version > kMaxVersion) return std::nullopt;
  return header;
}

// Whether a section, or nothing more, can begin there.
bool CanFollow(Bytes rest) {
  return (rest.size() == 1 && rest[0] == kEndOfSections) || HeaderAt(rest).has_value();
}

// Where in `rest` the footer of the section of that number is.
std::optional<size_t> FindFooter(Bytes rest, uint32_t number) {
  for (size_t at = 0; at + kFooter < rest.size(); ++at) {
    const auto* next = static_cast<const std::byte*>(
        std::memchr(rest.data() + at, int(kSectionFooter), rest.size() - at));
    if (next == nullptr) return std::nullopt;
    at = size_t(next - rest.data());
    if (at + kFooter >= rest.size()) return std::nullopt;
    if (Number(rest.subspan(at + 1)) == number && CanFollow(rest.subspan(at + kFooter))) return at;
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<DeviceSection>> SplitDeviceState(Bytes stream) {
  if (stream.size() < kFileHeader ||
      std::memcmp(stream.data(), kMagic.data(), kMagic.size()) != 0) {
    return Fail(Damaged("it does not begin with 'QEVM'"));
  }
  std::vector<DeviceSection> sections;
  std::set<std::pair<std::string_view, uint32_t>> seen;
  Bytes rest = stream.subspan(kFileHeader);
  while (!(rest.size() == 1 && rest[0] == kEndOfSections)) {
    auto header = HeaderAt(rest);
    if (!header) {
      return Fail(Damaged(fmt::format("no device begins at byte {}", stream.size() - rest.size())));
    }
    rest = rest.subspan(header->size);
    DeviceSection& section = sections.emplace_back(header->section);
    const auto footer = FindFooter(rest, header->number);
    if (!footer)
      return Fail(Damaged(fmt::format("device '{}' has no end", SafeText(section.name))));
    if (!seen.emplace(section.name, section.instance).second) {
      return Fail(Damaged(fmt::format("device '{}' is there twice", SafeText(section.name))));
    }
    section.contents = rest.first(*footer);
    rest = rest.subspan(*footer + kFooter);
  }
  return sections;
}

}  // namespace ktstr
