#include "capture/qemu/json_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "capture/system/system_error.h"
#include "libcore/base/json_shape.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

// The longest line taken from a peer, in bytes. A report of 10,000 tasks is 3 MB.
constexpr size_t kLineLimit = size_t{64} << 20;
constexpr size_t kMaxFds = 16;

}  // namespace

Status JsonSocket::AwaitEvent(short events, Deadline deadline) {
  for (;;) {
    pollfd waiting = {fd_.get(), events, 0};
    const int ready = poll(&waiting, 1, PollTimeout(deadline));
    if (ready > 0) return {};
    if (ready == 0) return Fail(ErrorCode::kTimeout, peer_ + " did not answer in time");
    if (errno != EINTR) return FailErrno("waiting for " + peer_);
  }
}

Status JsonSocket::Send(const nlohmann::json& message, Deadline deadline,
                        std::span<const int> fds) {
  return SendText(message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                  deadline, fds);
}

Status JsonSocket::JoinInTheMiddle(Deadline deadline) {
  in_the_middle_ = true;
  return SendText("\n", deadline, {});
}

Status JsonSocket::SendText(std::string_view line, Deadline deadline, std::span<const int> fds) {
  if (fds.size() > kMaxFds) return Fail(ErrorCode::kInvalidArgument, "too many files to hand over");
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  for (size_t at = 0; at < line.size();) {
    iovec bytes = {const_cast<char*>(line.data()) + at, line.size() - at};
    msghdr header = {};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    if (at == 0 && !fds.empty()) {
      header.msg_control = control;
      header.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      at += sent;
    } else if (errno == EAGAIN) {
      KTSTR_TRY(AwaitEvent(POLLOUT, deadline));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return Fail(ErrorCode::kPeer, peer_ + " has closed the connection");
    } else if (errno != EINTR) {
      return FailErrno("sending to " + peer_);
    }
  }
  return {};
}

Status JsonSocket::Fill(Deadline deadline) {
  if (received_.size() > kLineLimit) {
    return Fail(ErrorCode::kPeer,
                fmt::format("{} sent a line of more than {} bytes", peer_, kLineLimit));
  }
  char buffer[65536];
  for (;;) {
    const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
      received_.append(buffer, n);
      return {};
    }
    if (n == 0 || errno == ECONNRESET) {
      return Fail(ErrorCode::kPeer, peer_ + " has closed the connection");
    }
    if (errno == EAGAIN) {
      KTSTR_TRY(AwaitEvent(POLLIN, deadline));
    } else if (errno != EINTR) {
      return FailErrno("receiving from " + peer_);
    }
  }
}

Result<nlohmann::json> JsonSocket::Receive(Deadline deadline) {
  for (bool filled = false;;) {
    const size_t end = received_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = received_.size();
      // One that never stops talking gets no more time than one that is silent.
      if (filled && std::chrono::steady_clock::now() >= deadline) {
        return Fail(ErrorCode::kTimeout, fmt::format("{} did not end its line of {} bytes in time",
                                                     peer_, received_.size()));
      }
      KTSTR_TRY(Fill(deadline));
      filled = true;
      continue;
    }
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    searched_ = 0;
    if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
    if (IsTooDeep(line)) {
      return Fail(ErrorCode::kPeer, fmt::format("{} sent JSON that is too deep: '{}'", peer_,
                                                SafeText(line.substr(0, 60))));
    }
    nlohmann::json message = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (std::exchange(in_the_middle_, false) && !message.is_object()) continue;
    if (!message.is_object()) {
      return Fail(ErrorCode::kPeer,
                  fmt::format("{} sent what is no JSON object: '{}'", peer_, line.substr(0, 60)));
    }
    return message;
  }
}

bool HasHungUp(int socket) {
  pollfd peer = {socket, POLLRDHUP, 0};
  return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

Result<SocketPair> MakeSocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return FailErrno("making a pair of sockets");
  }
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace ktstr
