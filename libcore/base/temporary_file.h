// A file that another library writes by its name: it is made beside its final place and appears
// there whole or not at all. (What we write ourselves is an OutputFile.)
#pragma once

#include <filesystem>
#include <memory>

#include "libcore/base/result.h"

namespace ktstr {

// While one lives, a SIGINT, SIGTERM or SIGHUP that would end the process removes the file first.
// (Of more than 64 at a time, the first 64.) Several threads may have some of their own. That of a
// process that was killed goes when the next one is made in the same directory.
class TemporaryFile {
 public:
  // An empty file that only its owner can read. Errors: kExists when something stands at
  // `final_path` that must not be replaced (a directory, a device); kIo.
  static Result<TemporaryFile> Beside(const std::filesystem::path& final_path);
  TemporaryFile(TemporaryFile&&) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  // Removes the file where it was not kept.
  ~TemporaryFile();

  const std::filesystem::path& path() const;
  const std::filesystem::path& final_path() const;
  // Writes it to the disk and gives it its final name, in place of what stood there. Errors: kIo.
  Status Keep();

 private:
  struct State;
  explicit TemporaryFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ktstr
