#include "capture/system/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "capture/system/connect.h"
#include "capture/system/system_error.h"

namespace ktstr {

Result<UniqueFd> ConnectToUnixSocket(const std::string& path, Deadline deadline) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string text = path;
  if (text.empty() || text.size() >= sizeof address.sun_path) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a socket's path has 1 to {} bytes, '{}' has {}",
                            sizeof address.sun_path - 1, text, text.size()));
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("making a socket");
  const std::string doing = fmt::format("connecting to the socket '{}'", text);
  KTSTR_TRY(
      ConnectBy(deadline, fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)
          .map_error([&](Error error) { return std::move(error).Wrap(doing); }));
  return fd;
}

}  // namespace ktstr
