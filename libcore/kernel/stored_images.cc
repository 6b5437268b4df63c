#include "libcore/kernel/stored_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "libcore/base/unique_fd.h"

namespace ktstr {

namespace {

constexpr uint64_t kMostListBytes = StoredImages::kMost * sizeof(ImageDigest);

// A file of this user's alone, and its size in bytes; else no file.
UniqueFd OpenOwnList(const std::filesystem::path& path, int flags, uint64_t& size) {
  UniqueFd file(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat info = {};
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
    return UniqueFd();
  }
  size = uint64_t(info.st_size);
  return file;
}

}  // namespace

StoredImages::StoredImages(const std::filesystem::path& image) : path_(PathFor(image)) {}

std::filesystem::path StoredImages::PathFor(const std::filesystem::path& image) {
  return std::filesystem::path(image).replace_extension(kSuffix);
}

bool StoredImages::Has(const ImageDigest& digest) const {
  uint64_t size = 0;
  const UniqueFd file = OpenOwnList(path_, O_RDONLY, size);
  if (!file.valid()) return false;
  std::vector<ImageDigest> list(std::min(size, kMostListBytes) / sizeof(ImageDigest));
  const ssize_t read = pread(file.get(), list.data(), list.size() * sizeof(ImageDigest), 0);
  list.resize(read > 0 ? size_t(read) / sizeof(ImageDigest) : 0);
  return std::ranges::find(list, digest) != list.end();
}

void StoredImages::Add(const ImageDigest& digest) const {
  uint64_t size = 0;
  const UniqueFd file = OpenOwnList(path_, O_WRONLY | O_APPEND | O_CREAT, size);
  if (!file.valid()) return;
  // Behind a part of a digest all others would be read wrong, and never be found.
  const bool fits = size % sizeof digest == 0 && size < kMostListBytes;
  if (!fits && ftruncate(file.get(), 0) != 0) return;
  std::ignore = write(file.get(), digest.data(), digest.size());
}

}  // namespace ktstr
