#include "capture/system/connect.h"

#include <fmt/format.h>
#include <sys/time.h>

#include "capture/system/system_error.h"

namespace ktstr {

namespace {

// How long connect(2) waits, too: unix(7), tcp(7). 0 is for ever.
Status LimitWaiting(int socket, int ms) {
  const timeval limit = {ms / 1000, ms % 1000 * 1000};
  if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0) return {};
  return FailErrno("setting the time-out of a socket");
}

}  // namespace

Status ConnectBy(Deadline deadline, int socket, const sockaddr* address, socklen_t size) {
  const int ms = std::max(PollTimeout(deadline), 1);
  KTSTR_TRY(LimitWaiting(socket, ms));
  int done;
  do {
    done = connect(socket, address, size);
  } while (done != 0 && errno == EINTR);
  // One of TCP that was interrupted has gone on.
  if (done != 0 && errno != EISCONN) {
    if (errno == EAGAIN || errno == EINPROGRESS || errno == EALREADY) {
      return Fail(ErrorCode::kTimeout, fmt::format("it was not accepted within {} ms", ms));
    }
    return Fail(ErrorCode::kIo, std::strerror(errno));
  }
  return LimitWaiting(socket, 0);
}

}  // namespace ktstr
