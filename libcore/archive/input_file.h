// An archive's file, read by position. Not mapped: a file that is cut short while it is open must
// give an error, not a signal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr::archive {

class InputFile {
 public:
  // `wanted` is what the file should be, as people are told of a directory or a device. Errors:
  // kNotFound (no such file), kDamaged (not a regular file), kIo.
  static Result<InputFile> Open(const std::string& path, std::string_view wanted = ".kts archive");
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  uint64_t size() const { return size_; }            // in bytes, when it was opened
  const std::string& name() const { return name_; }  // as the user gave it

  // Fills `out` from `offset` on. May be called from several threads at once. Errors: kDamaged when
  // the file ends before, kIo.
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const;

 private:
  InputFile(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  int fd_ = -1;
  uint64_t size_ = 0;
  std::string name_;
};

// `error`, as a sentence that names the file.
Error InFile(const InputFile& file, Error error);

}  // namespace ktstr::archive
