// Writes a pack (PACK.md): many archives in one file, in which a page that several of them hold
// stands once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

struct PackedArchive {
  std::string name;  // in the pack
  std::string path;
};

struct PackedFile {
  std::string name;
  std::string text;
};

struct PackOptions {
  int compression_level = 9;  // of the pages, on zstd's scale
  int threads = 0;            // 0: one per CPU
  // Told how many of all archives are done: each is read, and made again to see that it can be.
  std::function<void(size_t done, size_t all)> progress = nullptr;
};

struct PackSummary {
  uint64_t archive_bytes = 0;  // of all archives
  uint64_t pack_bytes = 0;
  uint64_t pages = 0;         // that all archives store
  uint64_t shared_pages = 0;  // of those, how many another archive has, too
  size_t not_rebuilt = 0;     // archives that are kept byte for byte, since no compression level of
                              // this libzstd gives their bytes: their pages are not shared
};

// Each archive has been made again from what was written, and compared, before the pack appears
// under its name. Errors: kExists when `path` exists; those of opening an archive, kDamaged; kIo.
Result<PackSummary> WritePack(const std::string& path, const std::vector<PackedArchive>& archives,
                              const std::vector<PackedFile>& files,
                              const PackOptions& options = {});

}  // namespace ktstr
