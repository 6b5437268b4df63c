// Where the sockets of a woken machine are.
#pragma once

#include <filesystem>

#include "libcore/base/result.h"

namespace ktstr {

// A directory of this user's own, in XDG_RUNTIME_DIR or /tmp, that is removed with all in it when
// this object goes.
class WakingDirectory {
 public:
  // Errors: kIo.
  static Result<WakingDirectory> Make();
  WakingDirectory(WakingDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  WakingDirectory& operator=(WakingDirectory&&) = delete;
  ~WakingDirectory();

  const std::filesystem::path& path() const { return path_; }
  // Leaves it where it is.
  void Keep() { path_.clear(); }

 private:
  explicit WakingDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

}  // namespace ktstr
