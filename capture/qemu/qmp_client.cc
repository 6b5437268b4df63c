#include "capture/qemu/qmp_client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/qemu/libvirt_monitor.h"
#include "capture/qemu/qmp_address.h"
#include "capture/system/system_error.h"
#include "capture/system/tcp_socket.h"
#include "capture/system/unix_socket.h"

namespace ktstr {

namespace {

using nlohmann::json;

// Events kept for somebody to ask for; the oldest go first.
constexpr size_t kMaxEvents = 10'000;

std::string VersionIn(const json& greeting) {
  const json* version = JsonMember(greeting, "version");
  const json* numbers = version == nullptr ? nullptr : JsonMember(*version, "qemu");
  if (numbers == nullptr) return "";
  return fmt::format("{}.{}.{}", IntegerMember(*numbers, "major").value_or(0),
                     IntegerMember(*numbers, "minor").value_or(0),
                     IntegerMember(*numbers, "micro").value_or(0));
}

}  // namespace

Result<std::unique_ptr<QmpClient>> QmpClient::Connect(const std::string& address,
                                                      std::chrono::milliseconds timeout) {
  const QmpAddress where = KTSTR_TRY(ParseQmpAddress(address));
  const Deadline deadline = After(timeout);
  std::unique_ptr<QmpClient> client;
  if (!where.domain.empty()) {
    LibvirtMonitor monitor = KTSTR_TRY(ConnectToLibvirt(where.domain));
    client.reset(new QmpClient(
        JsonSocket(std::move(monitor.socket), fmt::format("libvirt's guest '{}'", where.domain))));
    client->relay_ = std::move(monitor.relay);
    client->pid_ = monitor.pid;
    // libvirt has its own time-outs; from here on it is a thread of ours that answers.
    KTSTR_TRY(client->Negotiate(After(timeout), timeout));
  } else {
    const bool tcp = !where.port.empty();
    UniqueFd fd = KTSTR_TRY(tcp ? ConnectToTcp(where.host, where.port, deadline)
                                : ConnectToUnixSocket(where.path, deadline));
    client.reset(new QmpClient(
        JsonSocket(std::move(fd), tcp ? fmt::format("QEMU at {}:{}", where.host, where.port)
                                      : fmt::format("QEMU at '{}'", where.path))));
    KTSTR_TRY(client->Negotiate(deadline, timeout));
  }
  client->address_ = address;
  return client;
}

Result<std::unique_ptr<QmpClient>> QmpClient::Open(UniqueFd socket, std::string name,
                                                   std::chrono::milliseconds timeout) {
  std::unique_ptr<QmpClient> client(new QmpClient(JsonSocket(std::move(socket), std::move(name))));
  KTSTR_TRY(client->Negotiate(After(timeout), timeout));
  return client;
}

Status QmpClient::Negotiate(Deadline deadline, std::chrono::milliseconds limit) {
  auto first = socket_.Receive(deadline);
  // QEMU tells also a client of events that it has not greeted yet (monitor_qapi_event_emit,
  // monitor/monitor.c), where one happens just then.
  while (first && first->contains("event")) {
    QueueEvent(*first);
    KTSTR_TRY(CheckTime(deadline));
    first = socket_.Receive(deadline);
  }
  if (!first) {
    const bool silent = first.error().code() == ErrorCode::kTimeout;
    return Fail(std::move(first).error().Wrap(fmt::format(
        "no QMP greeting from {}{}", name(),
        silent ? fmt::format(" within {} ms (QEMU serves one client per socket: is another one "
                             "connected?)",
                             limit.count())
               : "")));
  }
  const json* greeting = JsonMember(*first, "QMP");
  if (greeting == nullptr || !greeting->is_object()) {
    return Fail(ErrorCode::kPeer,
                fmt::format("{} is no QMP server: it greets with {}", name(), Brief(*first, 60)));
  }
  version_ = VersionIn(*greeting);
  const auto left = deadline - std::chrono::steady_clock::now();
  QmpCall call = {.timeout = std::chrono::ceil<std::chrono::milliseconds>(left)};
  auto ready = Execute("qmp_capabilities", nullptr, call);
  if (ready) return {};
  if (ready.error().code() != ErrorCode::kTimeout) return Fail(std::move(ready).error());
  return Fail(ErrorCode::kTimeout, fmt::format("{} did not answer 'qmp_capabilities' within {} ms",
                                               name(), limit.count()));
}

Result<json> QmpClient::Execute(std::string_view command) { return Execute(command, nullptr); }

Result<json> QmpClient::Execute(std::string_view command, json arguments, const QmpCall& call) {
  const std::chrono::milliseconds timeout = call.timeout.value_or(timeout_);
  const Deadline deadline = After(timeout);
  const uint64_t id = next_id_++;
  json request = {{"execute", command}, {"id", id}};
  if (!arguments.is_null()) request["arguments"] = std::move(arguments);
  auto reply = socket_.Send(request, deadline, call.fds).and_then([&] {
    return AwaitReply(id, command, deadline);
  });
  if (!reply && reply.error().code() == ErrorCode::kTimeout) {
    return Fail(ErrorCode::kTimeout, fmt::format("{} did not answer '{}' within {} ms", name(),
                                                 command, timeout.count()));
  }
  if (!reply) return Fail(std::move(reply).error().Wrap(fmt::format("QMP '{}'", command)));
  return reply;
}

// Of a peer that says one thing after the other, but not what it was asked: whether there is time
// for more.
Status QmpClient::CheckTime(Deadline deadline) const {
  if (socket_.HasLine() || std::chrono::steady_clock::now() < deadline) return {};
  return Fail(ErrorCode::kTimeout, name() + " did not answer in time");
}

Result<json> QmpClient::AwaitReply(uint64_t id, std::string_view command, Deadline deadline) {
  for (;;) {
    json message = KTSTR_TRY(socket_.Receive(deadline));
    // A reply without an id is QEMU's to a command that it could not even parse.
    const auto answered = IntegerMember(message, "id");
    const bool event = message.contains("event");
    if (event) QueueEvent(message);
    if (event || (answered && static_cast<uint64_t>(*answered) != id)) {
      KTSTR_TRY(CheckTime(deadline));
      continue;
    }
    if (const json* error = JsonMember(message, "error")) {
      return Fail(ErrorCode::kPeer, fmt::format("{} refuses '{}': {} ({})", name(), command,
                                                StringMember(*error, "desc", "no description"),
                                                StringMember(*error, "class", "no class")));
    }
    if (const json* value = JsonMember(message, "return"); value != nullptr && answered)
      return *value;
    return Fail(ErrorCode::kPeer,
                fmt::format("{} answers '{}' with {}", name(), command, Brief(message)));
  }
}

Result<std::string> QmpClient::HumanCommand(std::string_view line, const QmpCall& call) {
  const json text =
      KTSTR_TRY(Execute("human-monitor-command", {{"command-line", std::string(line)}}, call));
  if (!text.is_string()) {
    return Fail(ErrorCode::kPeer, fmt::format("{} answers the monitor command '{}' with {}", name(),
                                              line, Brief(text)));
  }
  return text.get<std::string>();
}

void QmpClient::QueueEvent(const json& message) {
  const json* data = JsonMember(message, "data");
  events_.push_back({StringMember(message, "event"), data == nullptr ? json() : *data});
  if (events_.size() > kMaxEvents) events_.pop_front();
}

Status QmpClient::QueueOneEvent(Deadline deadline) {
  const json message = KTSTR_TRY(socket_.Receive(deadline));
  if (message.contains("event")) {
    QueueEvent(message);
    return {};
  }
  // Anything else is a reply that came after its caller gave up.
  return CheckTime(deadline);
}

Result<QmpEvent> QmpClient::WaitForEvent(std::string_view wanted, Deadline deadline) {
  for (bool looked = false;; looked = true) {
    const auto found =
        std::ranges::find_if(events_, [&](const QmpEvent& e) { return e.name == wanted; });
    if (found != events_.end()) {
      QmpEvent event = std::move(*found);
      events_.erase(found);
      return event;
    }
    Status queued = looked ? CheckTime(deadline) : Status();
    if (queued) queued = QueueOneEvent(deadline);
    if (!queued) {
      return Fail(std::move(queued).error().Wrap(fmt::format("waiting for event {}", wanted)));
    }
  }
}

Result<QmpEvent> QmpClient::NextEvent(Deadline deadline) {
  while (events_.empty()) KTSTR_TRY(QueueOneEvent(deadline));
  QmpEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void QmpClient::DropEvents(std::string_view unwanted) {
  std::erase_if(events_, [&](const QmpEvent& e) { return e.name == unwanted; });
}

bool QmpClient::passes_files() const {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(socket_.fd(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

Result<pid_t> QmpClient::PeerPid() const {
  if (pid_) return *pid_;
  if (!passes_files()) {
    auto pid = ProcessAtOtherEnd(socket_.fd());
    if (pid) return pid;
    return Fail(std::move(pid).error().Wrap(
        fmt::format("which process {} is cannot be told (--pid can name it)", name())));
  }
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(socket_.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return FailErrno("asking who is " + name());
  }
  return peer.pid;
}

}  // namespace ktstr
