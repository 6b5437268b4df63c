// A file that appears under its name only when it is whole and on the disk. Until then it has no
// name at all where the file system can do that (O_TMPFILE), so that even a killed process leaves
// nothing; else a temporary one in the same directory. (To replace a file takes a temporary name in
// any case, but only for the instant at the end, when the new file is whole.) Temporary ones of
// processes that were killed go when the next file is made in that directory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

class OutputFile {
 public:
  enum class Existing { kKeep, kReplace };
  enum class Naming { kAnonymousIfPossible, kTemporaryName };
  enum class Readers { kOwner, kByUmask };

  // Errors: kExists when `path` exists and is to be kept, or is something that must not be replaced
  // (a directory, a device); kIo.
  static Result<OutputFile> Create(const std::filesystem::path& path, Existing existing,
                                   Naming naming = Naming::kAnonymousIfPossible,
                                   Readers readers = Readers::kOwner);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  // Unless published, nothing remains.
  ~OutputFile();

  // Bytes appended so far.
  uint64_t size() const { return written_ + buffer_.size(); }

  // Errors: kIo.
  Status Append(std::span<const std::byte> bytes);

  // Puts bytes at an offset, in any order; not beside Append. What is never put is a hole, which
  // reads as zeros. Errors: kIo.
  Status WriteAt(uint64_t offset, std::span<const std::byte> bytes);
  // Makes it `size` bytes at least. Errors: kIo.
  Status ExtendTo(uint64_t size);

  // Writes everything out, and yields a path where others can read the file until it is published
  // or gone. Errors: kIo.
  Result<std::filesystem::path> Readable();

  // Writes everything to the disk and gives it its name, in one step. Errors: kExists when
  // something has come to stand there meanwhile and is to be kept; kIo.
  Status Publish();

 private:
  OutputFile(std::filesystem::path path, Existing existing, Readers readers);

  Status OpenAnonymous(bool& possible);
  Status OpenTemporary();
  Status Flush();
  Status Sync();
  Status LinkAnonymous(const std::filesystem::path& name);
  Status RenameTemporary();
  Error Failed(const char* doing, int error_number) const;
  Error AlreadyExists() const;

  std::filesystem::path path_;
  Existing existing_;
  mode_t mode_;
  int fd_ = -1;
  std::filesystem::path temporary_;  // empty while the file has no name
  std::vector<std::byte> buffer_;
  uint64_t written_ = 0;
  uint64_t sync_begun_ = 0;  // up to where the system was asked to write to the disk
};

}  // namespace ktstr
