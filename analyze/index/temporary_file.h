// A file that is written beside its final place and appears there whole or not at all.
#pragma once

#include <filesystem>

#include "libcore/base/result.h"

namespace ktstr {

// While one lives, a SIGINT, SIGTERM or SIGHUP that would end the process removes the file first.
// (Of more than 64 at a time, the first 64.) Several threads may have some of their own.
class TemporaryFile {
 public:
  // A name beside `final_path` that nobody else uses. Makes no file yet.
  explicit TemporaryFile(std::filesystem::path final_path);
  // Removes the file where it is still there.
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& final_path() const { return final_path_; }
  // Renames it to the final path. Errors: kIo.
  Status Keep();

 private:
  std::filesystem::path final_path_, path_;
};

}  // namespace ktstr
