#include "capture/qemu/libvirt_monitor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "capture/qemu/json_access.h"
#include "capture/qemu/json_socket.h"
#include "capture/qemu/process_info.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "capture/system/start_thread.h"
#include "capture/system/system_error.h"
#include "libcore/base/json_shape.h"

namespace ktstr {

namespace {

using nlohmann::json;

// libvirt itself gives up on QEMU after half a minute.
constexpr std::chrono::seconds kVirshTimeout(60);
constexpr size_t kMostSaid = 64 << 20;
constexpr size_t kMostFiles = 16;

// What virsh prints, with these files open. Errors: kPeer with what it says when it fails.
Result<std::string> RunVirsh(std::vector<std::string> arguments, std::vector<int> files = {}) {
  const UniqueFd out = KTSTR_TRY(MakeMemoryFile("virsh-output"));
  const UniqueFd errors = KTSTR_TRY(MakeMemoryFile("virsh-errors"));
  arguments.insert(arguments.begin(), "virsh");
  auto virsh = KTSTR_TRY(ChildProcess::Start({.argv = std::move(arguments),
                                              .kept_fds = std::move(files),
                                              .stdout_fd = out.get(),
                                              .stderr_fd = errors.get()}));
  const auto ended = virsh.Wait(After(kVirshTimeout));
  if (!ended && ended.error().code() == ErrorCode::kTimeout) {
    return Fail(ErrorCode::kTimeout,
                fmt::format("virsh did not answer within {} s", kVirshTimeout.count()));
  }
  const int status = KTSTR_TRY(ended);
  std::string said = KTSTR_TRY(ReadTail(out.get(), kMostSaid));
  if (status == 0) return said;
  std::string why = KTSTR_TRY(ReadTail(errors.get(), 4096));
  while (!why.empty() && why.back() == '\n') why.pop_back();
  return Fail(ErrorCode::kPeer, fmt::format("virsh {}: {}", DescribeWaitStatus(status), why));
}

// One command as libvirt takes it, and its reply.
Result<json> AskLibvirt(const std::string& domain, const json& command,
                        const std::vector<UniqueFd>& files) {
  std::vector<std::string> arguments = {"qemu-monitor-command", domain};
  std::vector<int> kept;
  for (const UniqueFd& file : files) kept.push_back(file.get());
  if (!kept.empty()) {
    arguments.insert(arguments.end(), {"--pass-fds", fmt::format("{}", fmt::join(kept, ","))});
  }
  arguments.insert(arguments.end(), {"--cmd", command.dump()});
  const std::string said = KTSTR_TRY(RunVirsh(std::move(arguments), std::move(kept)));
  json reply = IsTooDeep(said) ? json() : json::parse(said, nullptr, false);
  if (reply.is_discarded() || !reply.is_object()) {
    return Fail(ErrorCode::kPeer, "virsh answers with no JSON object: " + said.substr(0, 200));
  }
  return reply;
}

// Takes lines of JSON and the files that come with them, and writes the replies.
class Relay {
 public:
  Relay(std::string domain, UniqueFd socket)
      : domain_(std::move(domain)), socket_(std::move(socket)) {}
  // Its peer has gone by then, or goes away now.
  ~Relay() { shutdown(socket_.get(), SHUT_RDWR); }

  // Errors: those of StartThread.
  Status Start() {
    thread_ = KTSTR_TRY(StartThread("that asks libvirt", [this] { Serve(); }));
    return {};
  }

  void Send(const json& message) {
    const std::string line = message.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    for (size_t at = 0; at < line.size();) {
      const ssize_t n = send(socket_.get(), line.data() + at, line.size() - at, MSG_NOSIGNAL);
      if (n <= 0 && errno != EINTR) return;
      if (n > 0) at += size_t(n);
    }
  }

 private:
  void Serve() {
    while (Receive()) {
      for (size_t end; (end = received_.find('\n')) != std::string::npos;) {
        const json message = json::parse(received_.substr(0, end), nullptr, false);
        received_.erase(0, end + 1);
        if (message.is_object()) Answer(message);
        files_.clear();
      }
    }
  }

  bool Receive() {
    std::array<char, 4096> buffer;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostFiles * sizeof(int))> control;
    iovec part = {buffer.data(), buffer.size()};
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t n;
    do {
      n = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        files_.emplace_back(fd);
      }
    }
    received_.append(buffer.data(), size_t(n));
    return true;
  }

  void Answer(const json& message) {
    // libvirt has done that, and has ids of its own.
    json command = message;
    command.erase("id");
    json reply;
    if (StringMember(message, "execute") == "qmp_capabilities") {
      reply = {{"return", json::object()}};
    } else if (auto answer = AskLibvirt(domain_, command, files_)) {
      reply = *std::move(answer);
    } else {
      reply = {{"error", {{"class", "Libvirt"}, {"desc", answer.error().ToString()}}}};
    }
    if (message.contains("id")) reply["id"] = message["id"];
    Send(reply);
  }

  const std::string domain_;
  UniqueFd socket_;
  std::string received_;
  std::vector<UniqueFd> files_;
  std::jthread thread_;  // joined first
};

}  // namespace

Result<LibvirtMonitor> ConnectToLibvirt(const std::string& domain) {
  auto version = AskLibvirt(domain, {{"execute", "query-version"}}, {});
  if (!version) {
    return Fail(
        std::move(version).error().Wrap(fmt::format("asking libvirt for the guest '{}'", domain)));
  }
  const json* known = JsonMember(*version, "return");
  if (known == nullptr) {
    return Fail(ErrorCode::kPeer, fmt::format("libvirt's guest '{}' does not tell its QEMU's "
                                              "version: {}",
                                              domain, Brief(*version)));
  }
  const pid_t pid = KTSTR_TRY(FindByGuestName(domain));
  SocketPair pair = KTSTR_TRY(MakeSocketPair());
  auto relay = std::make_shared<Relay>(domain, std::move(pair.theirs));
  KTSTR_TRY(relay->Start());
  relay->Send({{"QMP", {{"version", *known}, {"capabilities", json::array()}}}});
  return LibvirtMonitor{std::move(relay), std::move(pair.ours), pid};
}

}  // namespace ktstr
