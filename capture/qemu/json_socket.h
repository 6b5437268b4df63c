// Lines of JSON over a stream socket: what QMP and our guest's port have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "capture/system/deadline.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// Not for use by several threads at once.
class JsonSocket {
 public:
  // `peer` is how messages name the other side, such as "QEMU at /run/vm.qmp".
  JsonSocket(UniqueFd fd, std::string peer) : fd_(std::move(fd)), peer_(std::move(peer)) {}

  int fd() const { return fd_.get(); }
  const std::string& peer() const { return peer_; }

  // What arrives first may be the end of a line that began before: it is then passed over. Also
  // sends an empty line, which ends what may have arrived there in part. Errors: as Send.
  Status JoinInTheMiddle(Deadline deadline);

  // Sends one line; `fds` are handed over with it (SCM_RIGHTS, Unix sockets only). Errors: kPeer
  // when the other side is gone, kTimeout, kIo.
  Status Send(const nlohmann::json& message, Deadline deadline, std::span<const int> fds = {});

  // The next object the peer sent. What has arrived already is given after the deadline, too.
  // Errors: kTimeout, also of a line without an end; kPeer when the other side closed or sent
  // something other than lines of JSON objects, kIo.
  Result<nlohmann::json> Receive(Deadline deadline);
  // Whether Receive has a line to give without asking the system.
  bool HasLine() const { return received_.find('\n', searched_) != std::string::npos; }

 private:
  // Takes what has arrived within the deadline into received_.
  Status Fill(Deadline deadline);
  Status AwaitEvent(short events, Deadline deadline);

  Status SendText(std::string_view text, Deadline deadline, std::span<const int> fds);

  UniqueFd fd_;
  std::string peer_;
  std::string received_;
  bool in_the_middle_ = false;  // no whole line has arrived yet
  size_t searched_ = 0;         // received_ has no newline before this
};

// Whether the other end of a connected socket is gone.
bool HasHungUp(int socket);

// A connected pair of Unix stream sockets, closed on exec.
struct SocketPair {
  UniqueFd ours, theirs;
};
Result<SocketPair> MakeSocketPair();

}  // namespace ktstr
