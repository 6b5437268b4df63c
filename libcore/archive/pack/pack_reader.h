// Reads a pack (PACK.md) and gives back the archives in it, bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/archive/pack/pack_writer.h"
#include "libcore/base/result.h"

namespace ktstr {

class PackReader {
 public:
  struct Archive {
    std::string name;
    uint64_t file_size = 0;  // in bytes
  };

  // Errors: kNotFound, kIo, kDamaged, kUnsupported (a newer version).
  static Result<std::unique_ptr<PackReader>> Open(const std::string& path);
  ~PackReader();

  const std::vector<Archive>& archives() const;
  // Errors: kDamaged, kIo.
  Result<std::vector<PackedFile>> ReadFiles() const;
  // Writes the archive of that index to `path`. Errors: kExists when `path` exists; kDamaged; kIo;
  // kUnsupported when this libzstd compresses to other bytes than the one that packed it.
  Status Extract(size_t archive, const std::string& path, int threads = 0) const;

 private:
  struct State;
  explicit PackReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ktstr
