// The directory: where each section is and what its checksum is. It holds the checksum of
// everything else, so its own is the archive's identity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/archive/format.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

struct DirectoryEntry {
  SectionType type = {};
  SectionEncoding encoding = SectionEncoding::kRaw;
  uint64_t offset = 0;        // of the section's frame in the file, in bytes
  uint64_t frame_size = 0;    // in bytes, the frame's first 8 included
  uint64_t payload_size = 0;  // in bytes, decoded
  uint64_t checksum = 0;      // of the whole frame
};

struct Directory {
  std::vector<DirectoryEntry> sections;  // in the order of the file
  uint64_t seek_table_checksum = 0;      // of the seek table's whole frame
  Digest digest = {};                    // filled in by both Encode and Decode
};

inline constexpr size_t kDirectoryTrailerSize = 32;

// The size of the whole frame, in bytes.
uint64_t DirectorySize(uint64_t sections);
// The whole frame.
std::vector<std::byte> EncodeDirectory(Directory& directory);

// The size of the whole frame, from its last kDirectoryTrailerSize bytes. Errors: kDamaged when
// these are no trailer.
Result<uint64_t> DirectorySizeFromTrailer(std::span<const std::byte> trailer);
// Decodes a whole frame; its digest is checked. Errors: kDamaged.
Result<Directory> DecodeDirectory(std::span<const std::byte> frame);

// The digest in hexadecimal, 32 digits.
std::string DigestText(const Digest& digest);

}  // namespace ktstr::archive
