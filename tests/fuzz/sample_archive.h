// The sample guest's archive taken apart: what fuzzers of archives put together again, changed.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libcore/archive/format.h"
#include "libcore/archive/seek_table.h"

namespace ktstr::fuzz {

using Sections = std::map<archive::SectionType, std::vector<std::byte>>;

struct SampleArchive {
  std::vector<std::byte> file;    // whole, all sections stored as they are
  std::vector<std::byte> frames;  // its header and memory frames
  std::vector<archive::SeekEntry> entries;
  Sections sections;  // payloads

  static const SampleArchive& Get();
};

// A file that is gone with this object: header and frames of the sample, these sections, and all
// checksums right.
class AssembledArchive {
 public:
  AssembledArchive(const SampleArchive& sample, const Sections& sections);
  ~AssembledArchive();
  const std::string& path() const { return path_; }

 private:
  struct File;
  std::unique_ptr<File> file_;
  std::string path_;
};

}  // namespace ktstr::fuzz
