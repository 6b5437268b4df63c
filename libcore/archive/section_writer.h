// Writes what follows the memory frames: sections, directory, seek table.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/directory.h"
#include "libcore/archive/seek_table.h"
#include "libcore/base/output_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

class SectionWriter {
 public:
  // `entries` are those of everything that `file` holds already.
  SectionWriter(OutputFile& file, std::vector<SeekEntry> entries)
      : file_(file), entries_(std::move(entries)) {}

  // Writes one section, with its payload as it is. Errors: kIo; kUnsupported when it is too large
  // for a frame.
  Status Add(SectionType type, std::span<const std::byte> payload);
  // Writes one section, its payload compressed where the format allows it. Errors: as Add.
  Status AddCompressed(SectionType type, std::span<const std::byte> payload, int level);
  // Writes directory and seek table; returns the digest. Errors: kIo.
  Result<std::string> Finish();

 private:
  Status AddEncoded(SectionType type, SectionEncoding encoding, std::span<const std::byte> stored,
                    uint64_t payload_size);

  OutputFile& file_;
  std::vector<SeekEntry> entries_;
  Directory directory_;
};

}  // namespace ktstr::archive
