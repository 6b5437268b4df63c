#include "libcore/base/read_at.h"

#include <unistd.h>

#include <cerrno>

namespace ktstr {

ReadCount ReadFully(int fd, uint64_t offset, std::span<std::byte> out) {
  size_t bytes = 0;
  while (bytes < out.size()) {
    const ssize_t got =
        pread(fd, out.data() + bytes, out.size() - bytes, static_cast<off_t>(offset + bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {bytes, errno};
    if (got == 0) break;
    bytes += static_cast<size_t>(got);
  }
  return {bytes, 0};
}

}  // namespace ktstr
