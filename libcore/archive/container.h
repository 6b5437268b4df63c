// The outer structure of an archive: its parts, found from the end of the file and checked against
// each other, before anything is made of what they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libcore/archive/directory.h"
#include "libcore/archive/input_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

struct Container {
  std::string digest;
  std::vector<DirectoryEntry> sections;
  // Where each memory frame begins in the file, and where the last one ends.
  std::vector<uint64_t> frame_offsets;
  uint64_t frame_bytes = 0;       // decompressed size of each memory frame but the last
  uint64_t last_frame_bytes = 0;  // of the last one; 0 when there is none

  uint64_t frame_count() const { return frame_offsets.size() - 1; }
  // Of a memory frame, in bytes: in the file, with its place record; and decompressed.
  uint64_t CompressedBytes(uint64_t frame) const {
    return frame_offsets[frame + 1] - frame_offsets[frame];
  }
  uint64_t DecompressedBytes(uint64_t frame) const {
    return frame + 1 == frame_count() ? last_frame_bytes : frame_bytes;
  }
  // nullptr when there is none.
  const DirectoryEntry* Find(SectionType type) const;
};

// Reads and checks header, seek table and directory, and that all parts follow one another without
// gaps. Allocates in proportion to the file. Errors: kDamaged, kUnsupported, kIo; each a sentence
// that names the file.
Result<Container> ReadContainer(const InputFile& file);
// The same but for the header, which may be damaged.
Result<Container> ReadContainerFromEnd(const InputFile& file);

// A section's decoded payload.
class SectionPayload {
 public:
  // The payload is what `bytes` holds from `begin` on: large sections are not copied out of their
  // frames.
  SectionPayload(std::vector<std::byte> bytes, size_t begin)
      : bytes_(std::move(bytes)), begin_(begin) {}

  std::span<const std::byte> bytes() const { return std::span(bytes_).subspan(begin_); }

 private:
  std::vector<std::byte> bytes_;
  size_t begin_;
};

// Reads a section, checks it against its checksum, and decodes its payload. Errors: kDamaged, kIo.
Result<SectionPayload> ReadSection(const InputFile& file, const DirectoryEntry& section);
// Only checks it.
Status CheckSection(const InputFile& file, const DirectoryEntry& section);

}  // namespace ktstr::archive
