#include "capture/system/memory_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "capture/system/system_error.h"
#include "libcore/base/read_at.h"

namespace ktstr {

namespace {

Status ReadAt(int fd, size_t offset, std::span<std::byte> out) {
  const auto [bytes, error] = ReadFully(fd, offset, out);
  if (bytes == out.size()) return {};
  if (error == 0) return Fail(ErrorCode::kIo, "a memory file is shorter than expected");
  return FailErrno("reading a memory file", error);
}

}  // namespace

Result<UniqueFd> MakeMemoryFile(const char* name) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return FailErrno("making a memory file");
  return fd;
}

Result<UniqueFd> MakeMemoryFile(const char* name, std::span<const std::byte> bytes) {
  UniqueFd fd = KTSTR_TRY(MakeMemoryFile(name));
  while (!bytes.empty()) {
    const ssize_t n = write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("writing a memory file");
    bytes = bytes.subspan(n);
  }
  return fd;
}

Result<std::vector<std::byte>> ReadFirst(int fd, size_t size) {
  std::vector<std::byte> bytes(size);
  KTSTR_TRY(ReadAt(fd, 0, bytes));
  return bytes;
}

Status ReadFirst(int fd, std::span<std::byte> out) { return ReadAt(fd, 0, out); }

Result<std::string> ReadTail(int fd, size_t limit) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) return FailErrno("looking at a memory file");
  const size_t size = std::min<size_t>(info.st_size, limit);
  std::string text(size, '\0');
  KTSTR_TRY(ReadAt(fd, info.st_size - size, std::as_writable_bytes(std::span(text))));
  return text;
}

std::string PathOfFd(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace ktstr
