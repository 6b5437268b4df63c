#include "faulty_monitor.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "capture/qemu/json_socket.h"
#include "capture/system/unix_socket.h"

namespace ktstr {

namespace {

using nlohmann::json;

constexpr std::chrono::minutes kLong{5};

// Bytes and files as they arrive; no bytes when the peer is gone.
struct Chunk {
  std::string bytes;
  std::vector<UniqueFd> files;
};

Chunk ReceiveChunk(int socket) {
  std::array<char, 65536> buffer;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control;
  iovec part = {buffer.data(), buffer.size()};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  Chunk chunk;
  const ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (n <= 0) return chunk;
  chunk.bytes.assign(buffer.data(), size_t(n));
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      chunk.files.emplace_back(fd);
    }
  }
  return chunk;
}

bool Say(int socket, const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const ssize_t n = send(socket, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += size_t(n);
  }
  return true;
}

// Until the other end is closed.
void Ignore(int socket) {
  while (!ReceiveChunk(socket).bytes.empty()) continue;
}

}  // namespace

const char* FaultyMonitor::NameOf(Fault fault) {
  switch (fault) {
    case Fault::kSilence:
      return "silence";
    case Fault::kEnd:
      return "end";
    case Fault::kRefusal:
      return "refusal";
    case Fault::kNoise:
      return "noise";
    case Fault::kNumber:
      return "number";
    case Fault::kList:
      return "list";
    case Fault::kEvents:
      return "events";
    case Fault::kLine:
      return "line";
    case Fault::kQemuHangs:
      return "QEMU hangs";
    case Fault::kQemuKilled:
      return "QEMU killed";
  }
  return "?";
}

// One client's connection.
class FaultyMonitor::Session {
 public:
  Session(FaultyMonitor& monitor, int client, UniqueFd qemu)
      : monitor_(monitor), client_(client), qemu_(std::move(qemu), "QEMU") {}

  void Run() {
    if (!Exchange(json(), {})) return;
    for (std::string heard;;) {
      Chunk chunk = ReceiveChunk(client_);
      if (chunk.bytes.empty()) return;
      heard += chunk.bytes;
      for (auto& file : chunk.files) files_.push_back(std::move(file));
      for (size_t end; (end = heard.find('\n')) != std::string::npos;) {
        const json request = json::parse(heard.substr(0, end), nullptr, false);
        heard.erase(0, end + 1);
        if (!Exchange(request, std::move(files_))) return;
        files_.clear();
      }
    }
  }

 private:
  // Null for the greeting. False when there is nothing more to do.
  bool Exchange(const json& request, std::vector<UniqueFd> files) {
    const auto fault = TakeFault(request);
    if (fault == Fault::kQemuHangs) kill(monitor_.pid_, SIGSTOP);
    if (fault == Fault::kQemuKilled) kill(monitor_.pid_, SIGKILL);
    if (fault == Fault::kRefusal && !request.is_null()) {
      return SayToClient(
          {{"id", request["id"]}, {"error", {{"class", "GenericError"}, {"desc", "not today"}}}});
    }
    if (!request.is_null() && !PassOn(request, files)) return false;
    if (fault == Fault::kQemuHangs) {
      Ignore(client_);
      return false;
    }
    for (;;) {
      auto answer = qemu_.Receive(After(kLong));
      if (!answer) return false;
      // An event, or QEMU's reply to what a client before this one has asked.
      const bool other = answer->contains("event") ||
                         (!request.is_null() && answer->value("id", json()) != request["id"]);
      if (other || !fault) {
        if (!SayToClient(*answer)) return false;
        if (other) continue;
        return true;
      }
      return Spoil(*fault, *answer);
    }
  }

  std::optional<Fault> TakeFault(const json& request) {
    const std::lock_guard lock(monitor_.mutex_);
    if (monitor_.number_ < 0 || monitor_.number_ != answers_++) return std::nullopt;
    monitor_.number_ = -1;
    monitor_.spoiled_ = request.is_null() ? "the greeting" : request["execute"];
    return monitor_.fault_;
  }

  bool PassOn(const json& request, const std::vector<UniqueFd>& files) {
    std::vector<int> numbers;
    for (const UniqueFd& file : files) numbers.push_back(file.get());
    return bool(qemu_.Send(request, After(kLong), numbers));
  }

  bool SayToClient(const json& message) { return Say(client_, message.dump() + "\n"); }

  bool Spoil(Fault fault, json answer) {
    const char* what = answer.contains("QMP") ? "QMP" : "return";
    switch (fault) {
      case Fault::kSilence:
        Ignore(client_);
        return false;
      case Fault::kNoise:
        Say(client_, "220 ready\r\n");
        Ignore(client_);
        return false;
      case Fault::kNumber:
        answer[what] = 17;
        return SayToClient(answer);
      case Fault::kList:
        answer[what] = json::array({nullptr, 17, json::object({{"id", json::array()}})});
        return SayToClient(answer);
      case Fault::kEvents:
        while (SayToClient({{"event", "NICE_DAY"}})) continue;
        return false;
      case Fault::kLine:
        while (Say(client_, std::string(65536, ' '))) continue;
        return false;
      case Fault::kRefusal:  // of the greeting
      case Fault::kEnd:
      case Fault::kQemuHangs:
      case Fault::kQemuKilled:
        return false;
    }
    return false;
  }

  FaultyMonitor& monitor_;
  const int client_;
  JsonSocket qemu_;
  std::vector<UniqueFd> files_;
  int answers_ = 0;
};

FaultyMonitor::FaultyMonitor(std::string path, std::string qemu, pid_t pid)
    : path_(std::move(path)), qemu_(std::move(qemu)), pid_(pid) {
  listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path_.data(), path_.size());
  bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name);
  listen(listener_.get(), 1);
  thread_ = std::thread([this] { Serve(); });
}

FaultyMonitor::~FaultyMonitor() {
  ended_ = true;
  if (listener_.valid()) shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  unlink(path_.c_str());
}

void FaultyMonitor::Arm(Fault fault, int number) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  number_ = number;
  spoiled_.clear();
}

std::string FaultyMonitor::spoiled() const {
  const std::lock_guard lock(mutex_);
  return spoiled_;
}

void FaultyMonitor::Serve() {
  while (!ended_) {
    const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) return;
    auto qemu = ConnectToUnixSocket(qemu_, After(kLong));
    if (!qemu) {
      // It is gone, and nobody listens any more.
      listener_.Close();
      return;
    }
    Session(*this, client.get(), *std::move(qemu)).Run();
  }
}

}  // namespace ktstr
