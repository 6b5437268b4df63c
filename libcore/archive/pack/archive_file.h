// An archive as a pack sees it: memory frames, and the bytes around them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/archive/container.h"
#include "libcore/archive/input_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

class ArchiveFile {
 public:
  // Errors: those of InputFile::Open and ReadContainer.
  static Result<ArchiveFile> Open(const std::string& path);

  const InputFile& file() const { return file_; }
  const std::string& digest() const { return container_.digest; }  // the archive's identity
  uint64_t frame_count() const { return container_.frame_count(); }
  uint64_t frames_begin() const { return container_.frame_offsets.front(); }  // in the file
  uint64_t frames_end() const { return container_.frame_offsets.back(); }
  uint64_t PageCount(uint64_t frame) const;
  // Of the frame with its place record, where it has one, in bytes.
  uint64_t CompressedSize(uint64_t frame) const;

  // Bytes of the file. Errors: kDamaged, kIo.
  Result<std::vector<std::byte>> ReadBytes(uint64_t begin, uint64_t end) const;
  // A memory frame as it stands in the file: what is compressed, and its place record, which
  // may be empty. Errors: kDamaged, kIo.
  struct CompressedFrame {
    std::vector<std::byte> pages, record;
  };
  Result<CompressedFrame> ReadCompressed(uint64_t frame) const;
  // Its pages. Errors: kDamaged, kIo.
  Result<std::vector<std::byte>> ReadPages(uint64_t frame) const;
  // XXH3-128 of the whole file. Errors: kIo.
  Result<Digest> HashWhole() const;
  // The level at which this libzstd compresses a few of the frames to the bytes that they have;
  // nothing when there is none. Errors: kDamaged, kIo.
  Result<std::optional<int>> FindLevel() const;

 private:
  ArchiveFile(InputFile file, Container container)
      : file_(std::move(file)), container_(std::move(container)) {}

  InputFile file_;
  Container container_;
};

}  // namespace ktstr::archive
