// A file system of its own for a test, which can be made as full as one likes.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>

namespace ktstr {

// Has this process, before it has threads or children, see mounts of its own, so that nothing stays
// mounted whatever becomes of it. Empty, or why that cannot be.
inline const std::string kWhyNoMounts = [] {
  const bool done =
      unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return done ? "" : std::string("nothing can be mounted here: ") + std::strerror(errno);
}();

class SmallDisk {
 public:
  // 64 MiB on `directory`. why_not() says whether that was allowed.
  explicit SmallDisk(std::filesystem::path directory)
      : directory_(std::move(directory)), why_not_(kWhyNoMounts) {
    if (!why_not_.empty()) return;
    if (mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=64m") != 0) {
      why_not_ = std::string("no file system can be mounted here: ") + std::strerror(errno);
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (why_not_.empty()) umount2(directory_.c_str(), MNT_DETACH);
  }

  // Empty when it is there.
  const std::string& why_not() const { return why_not_; }
  uint64_t Free() const {
    struct statvfs info = {};
    EXPECT_EQ(statvfs(directory_.c_str(), &info), 0);
    return info.f_bavail * info.f_frsize;
  }
  // Leaves so many bytes, a multiple of the page size, until Empty.
  void Fill(uint64_t left) const {
    const int fd = open(Filler().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(posix_fallocate(fd, 0, static_cast<off_t>(Free() - left)), 0);
    close(fd);
    ASSERT_EQ(Free(), left);
  }
  void Empty() const { std::filesystem::remove(Filler()); }
  // All files but what fills it, by their path in it.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& file : std::filesystem::recursive_directory_iterator(directory_)) {
      if (!file.is_regular_file() || file.path() == Filler()) continue;
      files.insert(std::filesystem::relative(file.path(), directory_).string());
    }
    return files;
  }

 private:
  std::filesystem::path Filler() const { return directory_ / "filler"; }

  std::filesystem::path directory_;
  std::string why_not_;
};

}  // namespace ktstr
