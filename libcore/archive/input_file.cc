#include "libcore/archive/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "libcore/base/read_at.h"

namespace ktstr::archive {

Result<InputFile> InputFile::Open(const std::string& path, std::string_view wanted) {
  // Not blocking: a FIFO must be refused, not waited for.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT) {
      return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path));
    }
    return Fail(ErrorCode::kIo, fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  }
  InputFile file(fd, path);
  struct stat status = {};
  if (fstat(fd, &status) != 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("{} cannot be examined: {}", path, std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} is a directory, not a {}", path, wanted));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("{} is not a regular file, so no {}", path, wanted));
  }
  file.size_ = static_cast<uint64_t>(status.st_size);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_), name_(std::move(other.name_)) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(name_, other.name_);
  return *this;
}

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
}

Status InputFile::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  const auto [bytes, error] = ReadFully(fd_, offset, out);
  const size_t missing = out.size() - bytes;
  if (missing == 0) return {};
  if (error == 0) {
    return Fail(
        ErrorCode::kDamaged,
        fmt::format("the file ends at offset {:#x}, {} bytes too early", offset + bytes, missing));
  }
  return Fail(ErrorCode::kIo, fmt::format("reading {} bytes at offset {:#x}: {}", missing,
                                          offset + bytes, std::strerror(error)));
}

Error InFile(const InputFile& file, Error error) {
  const char* const state = error.code() == ErrorCode::kDamaged ? "is damaged" : "cannot be read";
  return std::move(error).Wrap(fmt::format("{} {}", file.name(), state));
}

}  // namespace ktstr::archive
