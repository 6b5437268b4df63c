// Whether an archive is whole: every bit of it is under a checksum.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/archive/format.h"
#include "libcore/base/result.h"

namespace ktstr {

// A part of the file that is not what it was.
struct DamagedPart {
  // One of these, or else header, directory or seek table, without which nothing can be found.
  std::optional<uint64_t> frame;  // a memory frame
  std::optional<archive::SectionType> section;
  uint64_t offset = 0, size = 0;  // in the file, in bytes; 0 where that is not known
  std::string why;
};

struct Verification {
  std::vector<DamagedPart> damaged;   // in the order of the file
  uint64_t frames = 0, sections = 0;  // in all, where the seek table can be read

  bool is_whole() const { return damaged.empty(); }
};

// Reads the whole file. Errors: kNotFound, kIo; kDamaged when it is no archive at all.
Result<Verification> VerifyArchive(const std::string& path);

}  // namespace ktstr
