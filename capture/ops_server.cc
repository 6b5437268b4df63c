#include "capture/ops_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "capture/system/system_error.h"
#include "libcore/ops/wire.h"

namespace ktstr {

namespace {

// How long a guest may take to receive a reply of at most 1 MiB.
constexpr std::chrono::seconds kSendTimeout(60);

Status Await(int fd, short events, Deadline deadline) {
  pollfd peer = {fd, events, 0};
  for (;;) {
    const int ready = poll(&peer, 1, PollTimeout(deadline));
    if (ready > 0) return {};
    if (ready == 0) return Fail(ErrorCode::kTimeout, "the guest sent no request in time");
    if (errno != EINTR) return FailErrno("waiting for the guest");
  }
}

}  // namespace

// Takes what has arrived; whether frame_ is a whole request.
Result<bool> OpsServer::ReceiveFrame() {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto size = KTSTR_TRY(FrameSize(frame_));
    if (size && frame_.size() >= *size) return true;
    // Never more than this message: another may follow.
    const size_t left = (size ? *size : kFrameHeaderSize) - frame_.size();
    const ssize_t n = recv(fd(), buffer.data(), std::min(buffer.size(), left), MSG_DONTWAIT);
    if (n == 0) return Fail(ErrorCode::kPeer, "the guest is gone");
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0 && errno != EINTR) return FailErrno("reading the guest's request");
    if (n > 0) frame_.insert(frame_.end(), buffer.begin(), buffer.begin() + n);
  }
}

Status OpsServer::Send(const OpReply& reply) {
  const std::vector<std::byte> frame = KTSTR_TRY(EncodeReply(reply));
  const Deadline deadline = After(kSendTimeout);
  for (std::span<const std::byte> rest = frame; !rest.empty();) {
    KTSTR_TRY(Await(fd(), POLLOUT, deadline));
    const ssize_t n = send(fd(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return FailErrno("sending the reply");
    if (n > 0) rest = rest.subspan(n);
  }
  return {};
}

Result<OpReply> OpsServer::Serve(const OpRequest& request,
                                 const std::vector<PlantedByte>& planted) {
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(qmp_));
  if (!ops_) ops_ = KTSTR_TRY(LiveOps::Open(frozen, pid_));
  ops_->Hide(planted);
  OpReply reply = KTSTR_TRY(ops_->Dispatch(frozen, request));
  // The guest goes on before it is answered, or it could not take the answer.
  KTSTR_TRY(frozen.Resume());
  return reply;
}

Status OpsServer::ServeFrame(const std::vector<PlantedByte>& planted) {
  const auto request = DecodeRequest(std::exchange(frame_, {}));
  if (!request) return Send(ErrorReply(0, request.error().ToString()));
  auto reply = Serve(*request, planted);
  if (reply) return Send(*reply);
  // Whoever asked must not wait for ever.
  std::ignore = Send(ErrorReply(request->request_id, reply.error().ToString()));
  return Fail(std::move(reply).error());
}

Result<bool> OpsServer::ServeWhatIsThere(const std::vector<PlantedByte>& planted) {
  if (!KTSTR_TRY(ReceiveFrame())) return false;
  KTSTR_TRY(ServeFrame(planted));
  return true;
}

Status OpsServer::ServeOne(Deadline deadline, const std::vector<PlantedByte>& planted) {
  while (!KTSTR_TRY(ReceiveFrame())) KTSTR_TRY(Await(fd(), POLLIN, deadline));
  return ServeFrame(planted);
}

}  // namespace ktstr
