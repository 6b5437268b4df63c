// Speaks QMP, QEMU's control protocol (docs/interop/qmp-spec.txt in QEMU's sources), over a Unix
// socket or TCP.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture/qemu/json_socket.h"
#include "capture/qemu/json_value.h"
#include "libcore/base/result.h"

namespace ktstr {

struct QmpEvent {
  std::string name;  // such as "STOP"
  JsonValue data;    // null when the event has none
};

struct QmpCall {
  std::optional<std::chrono::milliseconds> timeout = {};  // nothing: the client's
  std::vector<int> fds = {};                              // handed to QEMU with the command (getfd)
};

// One QMP session. Not for use by several threads at once.
class QmpClient {
 public:
  // Connects to what an address names as people and QEMU's command line write it: a path,
  // "unix:PATH,…", "HOST:PORT", "tcp:HOST:PORT,…", "libvirt:DOMAIN"; and negotiates. Errors:
  // kInvalidArgument; kIo when there is no such socket or nobody listens, kPeer when what answers
  // is no QMP server, kTimeout when nothing answers (QEMU serves one client per socket). The time
  // is for all of it.
  static Result<std::unique_ptr<QmpClient>> Connect(
      const std::string& address, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  // The same on a socket that is already connected; `name` is how messages call the peer.
  static Result<std::unique_ptr<QmpClient>> Open(UniqueFd socket, std::string name,
                                                 std::chrono::milliseconds timeout);

  // How long a command may take from now on; 10 s until it is said.
  void SetTimeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }

  // Runs one command; yields its "return". Errors: kPeer when QEMU refuses (the message has class
  // and description) or went away, kTimeout, kIo.
  Result<nlohmann::json> Execute(std::string_view command);
  Result<nlohmann::json> Execute(std::string_view command, nlohmann::json arguments,
                                 const QmpCall& call = {});
  // Runs a command of the human monitor; yields its output, which also holds its errors.
  Result<std::string> HumanCommand(std::string_view line, const QmpCall& call = {});

  // The oldest event of that name that has not been taken yet, waited for if need be. Events of
  // other names stay queued. Errors: kTimeout, kPeer, kIo.
  Result<QmpEvent> WaitForEvent(std::string_view name, Deadline deadline);
  // The oldest event of any name.
  Result<QmpEvent> NextEvent(Deadline deadline);
  // Forgets all queued events of that name.
  void DropEvents(std::string_view name);

  // "7.2.22", from the greeting.
  const std::string& qemu_version() const { return version_; }
  // What Connect was given: who connects there when this client has gone reaches the same QEMU.
  // Empty for a socket of our own.
  const std::string& address() const { return address_; }
  // How messages name the peer.
  const std::string& name() const { return socket_.peer(); }
  // Whether files can be handed over with a command (QmpCall::fds).
  bool passes_files() const;
  // The process at the other end. Errors: kIo; kNotFound for one of another machine or user.
  Result<pid_t> PeerPid() const;
  // For waiting on this and other things at once with poll(2): readable when something arrived.
  // Events that have already been queued do not show there.
  int fd() const { return socket_.fd(); }

 private:
  explicit QmpClient(JsonSocket socket) : socket_(std::move(socket)) {}
  // `limit`: how long that was in all.
  Status Negotiate(Deadline deadline, std::chrono::milliseconds limit);
  Result<nlohmann::json> AwaitReply(uint64_t id, std::string_view command, Deadline deadline);
  Status CheckTime(Deadline deadline) const;
  Status QueueOneEvent(Deadline deadline);
  void QueueEvent(const nlohmann::json& message);

  std::shared_ptr<void> relay_;  // of a guest of libvirt's
  std::optional<pid_t> pid_;     // where the socket does not tell
  JsonSocket socket_;
  std::string address_, version_;
  std::chrono::milliseconds timeout_{10'000};
  std::deque<QmpEvent> events_;
  uint64_t next_id_ = 1;
};

}  // namespace ktstr
