#include "libcore/base/output.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "libcore/base/interrupt_guard.h"

namespace ktstr {

Output& Output::Standard() {
  static Output output(STDOUT_FILENO);
  return output;
}

bool Output::is_terminal() const { return isatty(fd_) == 1; }

std::optional<Error> Output::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

Status Output::Write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (lost_) return Fail(*lost_);
  while (!text.empty() && !reader_gone_) {
    const ssize_t done = write(fd_, text.data(), text.size());
    if (done >= 0) {
      text.remove_prefix(static_cast<size_t>(done));
      continue;
    }
    if (Status refused = Refused(errno); !refused) return refused;
  }
  return {};
}

// What becomes of it: fine when writing may be tried again, or needs no more to be.
Status Output::Refused(int error_number) {
  switch (error_number) {
    case EPIPE:
      reader_gone_ = true;
      return {};
    case EINTR:
      if (!InterruptGuard::flag().load()) return {};
      return Fail(ErrorCode::kInterrupted, "writing to standard output was interrupted");
    case EAGAIN: {
      // Somebody else made it one that does not wait.
      pollfd writable = {fd_, POLLOUT, 0};
      poll(&writable, 1, -1);
      return {};
    }
    default:
      lost_ = Error(ErrorCode::kIo, fmt::format("writing to standard output failed: {}",
                                                std::strerror(error_number)));
      return Fail(*lost_);
  }
}

}  // namespace ktstr
