// The bytes of another tool's dump, by position: a plain file, or one that makedumpfile has written
// to a pipe ("flattened", makedumpfile -F) and that nobody has put together again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/input_file.h"
#include "libcore/base/result.h"

namespace ktstr::vmcore {

class DumpFile {
 public:
  // Errors: those of archive::InputFile::Open; kDamaged for a flattened file whose pieces do not
  // follow one another to its end mark.
  static Result<DumpFile> Open(const std::string& path);

  const std::string& name() const { return file_.name(); }
  // Of the dump itself, put together, in bytes.
  uint64_t size() const { return size_; }
  // Of the file, which bounds what is believed of sizes in it.
  uint64_t file_size() const { return file_.size(); }
  bool flattened() const { return flattened_; }

  // Fills `out` from `offset` on. What a flattened file does not have between its pieces is zero,
  // as it is in the file that makedumpfile -R makes of it. May be called from several threads at
  // once. Errors: kDamaged when the dump ends before, kIo.
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const;

 private:
  // Bytes [begin, end) of the dump, and where they are in the file.
  struct Piece {
    uint64_t begin, end, at;
  };
  explicit DumpFile(archive::InputFile file) : file_(std::move(file)), size_(file_.size()) {}
  Status ReadPieces();

  archive::InputFile file_;
  uint64_t size_ = 0;
  bool flattened_ = false;
  std::vector<Piece> pieces_;  // of a flattened one: ascending, disjoint
};

// `error`, as a sentence that names the dump.
Error InDump(const DumpFile& dump, Error error);

}  // namespace ktstr::vmcore
