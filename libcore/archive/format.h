// The numbers of the .kts format, as FORMAT.md gives them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "libcore/base/address.h"

namespace ktstr::archive {

inline constexpr uint16_t kMajorVersion = 2;
inline constexpr uint16_t kMinorVersion = 0;
// Older archives lack what was added since, and are read all the same.
inline constexpr uint16_t kOldestMajorVersion = 1;

inline constexpr uint32_t kSkippableMagic = 0x184D2A5D;
inline constexpr uint32_t kPlaceRecordMagic = 0x184D2A5C;  // skippable, too
inline constexpr size_t kSkippableHeaderSize = 8;          // magic, size of what follows

inline constexpr size_t kHeaderSize = 32;
inline constexpr std::array<uint8_t, 8> kHeaderTag = {0x89, 'K', 'T', 'S', '\r', '\n', 0x1a, '\n'};

// Four ASCII characters as they stand in the file.
constexpr uint32_t FourCharacters(const char (&text)[5]) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(text[i]);
  return value;
}

enum class SectionType : uint32_t {
  kMetadata = FourCharacters("META"),
  kVcpus = FourCharacters("VCPU"),
  kRegions = FourCharacters("RGNS"),
  kPageTable = FourCharacters("PAGE"),
  kFrames = FourCharacters("FRMS"),
  kDeviceState = FourCharacters("DEVS"),
};

enum class SectionEncoding : uint32_t { kRaw = 0, kZstd = 1 };

// Skippable header and type.
inline constexpr size_t kSectionHeaderSize = kSkippableHeaderSize + 4;
inline constexpr uint64_t kMaxSections = 1024;
// A payload that would shrink further than this is stored as it is.
inline constexpr uint64_t kMaxSectionRatio = 1024;

inline constexpr uint32_t kMaxPagesPerFrame = 1024;
// A memory frame and its place record take at most so many bytes more than ZSTD_COMPRESSBOUND.
inline constexpr size_t kFrameSlack = 64;
// x86-64 and arm64 have at most 52 bits of physical address.
inline constexpr uint64_t kMaxPfn = uint64_t{1} << (52 - kPageShift);
inline constexpr uint64_t kMaxPages = (uint64_t{1} << 32) - 1;

// How the pages of a run of the page table are had. The values are those of the file.
enum class RunKind : uint8_t {
  kStored = 0,
  kZero = 1,
  kSame = 2,
  kSequence = 3,
  kDamaged = 4,
  kLeftOut = 5,
  kRelocated = 6,
};

// Whether pages of such a run are those of stored pages that others have, too.
constexpr bool IsDuplicate(RunKind kind) {
  return kind == RunKind::kSame || kind == RunKind::kSequence || kind == RunKind::kRelocated;
}

}  // namespace ktstr::archive
