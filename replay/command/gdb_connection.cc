#include "replay/command/gdb_connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <tuple>

#include "capture/system/system_error.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output_place.h"
#include "replay/gdb/session.h"

namespace ktstr {

namespace {

// Whether something can be read there; false when Ctrl-C came. A signal between the look at the
// flag and the wait is noticed at the next look.
Result<bool> AwaitReadable(int fd) {
  constexpr int kLookMs = 500;
  while (!InterruptGuard::flag()) {
    pollfd waited = {fd, POLLIN, 0};
    const int ready = poll(&waited, 1, kLookMs);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return FailErrno("waiting for gdb");
  }
  return false;
}

// False when the reader is gone.
Result<bool> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      if (InterruptGuard::flag()) return false;
      continue;
    }
    if (written < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
    if (written < 0) return FailErrno("answering gdb");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

Result<UniqueFd> Listening(int family, const sockaddr* address, socklen_t size,
                           const std::string& name) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("making a socket");
  const int yes = 1;
  if (family == AF_INET) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // The socket's file has the umask's mode from its first moment on.
  const mode_t before = umask(0177);
  const int bound = bind(fd.get(), address, size);
  const int error = errno;
  umask(before);
  if (bound != 0) return FailErrno(fmt::format("listening at {}", name), error);
  if (listen(fd.get(), 1) != 0) return FailErrno(fmt::format("listening at {}", name));
  return fd;
}

}  // namespace

Status ServeGdb(GdbTarget& target, int in, int out) {
  GdbSession session(target);
  std::array<char, 4096> buffer;
  while (!session.ended() && KTSTR_TRY(AwaitReadable(in))) {
    const ssize_t size = read(in, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size == 0 || (size < 0 && errno == ECONNRESET)) return {};
    if (size < 0) return FailErrno("listening to gdb");
    const std::string answer = session.Receive({buffer.data(), static_cast<size_t>(size)});
    if (!KTSTR_TRY(WriteAll(out, answer))) return {};
  }
  return {};
}

void HearGdbOut(int in) {
  constexpr int kFirstMs = 1000;
  pollfd waited = {in, POLLIN, 0};
  std::array<char, 4096> heard;
  if (poll(&waited, 1, kFirstMs) > 0) std::ignore = read(in, heard.data(), heard.size());
}

Result<GdbListener> ListenAtUnixSocket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a socket's path has 1 to {} bytes, '{}' has {}",
                            sizeof address.sun_path - 1, path, path.size()));
  }
  KTSTR_TRY(CheckNothingAt(path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return GdbListener{KTSTR_TRY(Listening(AF_UNIX, reinterpret_cast<const sockaddr*>(&address),
                                         sizeof address, path)),
                     path};
}

Result<GdbListener> ListenAtPort(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd = KTSTR_TRY(Listening(AF_INET, reinterpret_cast<const sockaddr*>(&address),
                                    sizeof address, fmt::format("127.0.0.1:{}", port)));
  socklen_t size = sizeof address;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FailErrno("asking for the port");
  }
  return GdbListener{std::move(fd), fmt::format("127.0.0.1:{}", ntohs(address.sin_port))};
}

Status ServeClients(GdbTarget& target, const GdbListener& listener) {
  while (KTSTR_TRY(AwaitReadable(listener.fd.get()))) {
    const UniqueFd client(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return FailErrno("accepting gdb");
    }
    const int yes = 1;  // of a Unix socket it fails, which does no harm
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    KTSTR_TRY(ServeGdb(target, client.get(), client.get()));
  }
  return {};
}

}  // namespace ktstr
