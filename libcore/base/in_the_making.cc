#include "libcore/base/in_the_making.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".ktstr-tmp";
// Of the final name: the whole must not be longer than a file system takes (255 bytes).
constexpr size_t kMostOfName = 200;

}  // namespace

Status CheckReplaceable(const fs::path& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  return Fail(ErrorCode::kExists,
              fmt::format("{} is not a regular file and is not replaced", path.native()));
}

fs::path DirectoryOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

fs::path NameInTheMaking(const fs::path& final_path) {
  std::random_device random;
  const std::string name = final_path.filename().string().substr(0, kMostOfName);
  return final_path.parent_path() /
         fmt::format(".{}.{}.{:08x}{}", name, getpid(), random(), kSuffix);
}

void MarkAsInTheMaking(int fd) { flock(fd, LOCK_EX); }

Result<int> OpenInTheMaking(const fs::path& name, const fs::path& final_path, mode_t mode) {
  for (;;) {
    const int fd = open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
    if (fd < 0) {
      return Fail(ErrorCode::kIo, fmt::format("{} cannot be created: {}", final_path.native(),
                                              std::strerror(errno)));
    }
    MarkAsInTheMaking(fd);
    struct stat status = {};
    // Another process may have taken it for a leftover before it was marked.
    if (fstat(fd, &status) == 0 && status.st_nlink > 0) return fd;
    close(fd);
  }
}

bool IsNameInTheMaking(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') && name.ends_with(kSuffix);
}

void RemoveLeftovers(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (!IsNameInTheMaking(entry.path())) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(entry.path().c_str());
    close(fd);
  }
}

}  // namespace ktstr
