// The other end of a socket, acted by a thread: says what a test wants a QMP server (or
// another one) to say.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "capture/qemu/json_socket.h"

namespace ktstr {

class ScriptedPeer {
 public:
  using Script = std::function<void(ScriptedPeer&)>;

  // Runs the script in a thread; when it ends, the peer closes its end.
  explicit ScriptedPeer(Script script) {
    SocketPair pair = *MakeSocketPair();
    ours_ = std::move(pair.ours);
    theirs_ = std::move(pair.theirs);
    thread_ = std::thread([this, script = std::move(script)] {
      script(*this);
      shutdown(theirs_.get(), SHUT_RDWR);
    });
  }
  ~ScriptedPeer() {
    // A script that still waits for the client sees it gone.
    if (ours_.valid()) ours_.Close();
    thread_.join();
  }

  // The client's end; to be taken once.
  UniqueFd TakeClientEnd() { return std::move(ours_); }

  // For the script:
  void Say(const std::string& line) { SayBytes(line + "\n"); }
  // Whether the client is still there.
  bool SayBytes(const std::string& text) {
    return send(theirs_.get(), text.data(), text.size(), MSG_NOSIGNAL) >= 0;
  }
  // What the client sent until and with the first of `end`, and `more` bytes; empty when it is
  // gone.
  std::string HearBytes(char end, size_t more) {
    size_t at;
    while ((at = heard_.find(end)) == std::string::npos || heard_.size() < at + 1 + more) {
      if (!HearMore()) return "";
    }
    const std::string bytes = heard_.substr(0, at + 1 + more);
    heard_.erase(0, bytes.size());
    return bytes;
  }
  // The next line the client sent, as JSON; null when it is gone.
  nlohmann::json Hear() {
    size_t end;
    while ((end = heard_.find('\n')) == std::string::npos) {
      if (!HearMore()) return nullptr;
    }
    const std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return nlohmann::json::parse(line, nullptr, false);
  }
  // Waits until the client has closed its end.
  void AwaitEnd() {
    while (!Hear().is_null()) continue;
  }

  // QMP: greets, and accepts qmp_capabilities.
  void Greet() {
    Say(R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}})");
    Return(Hear());
  }
  void Return(const nlohmann::json& request,
              const nlohmann::json& value = nlohmann::json::object()) {
    Say(nlohmann::json{{"id", request.value("id", nlohmann::json())}, {"return", value}}.dump());
  }
  void Event(const std::string& name, const nlohmann::json& data = nlohmann::json::object()) {
    Say(nlohmann::json{{"event", name}, {"data", data}}.dump());
  }

 private:
  bool HearMore() {
    char buffer[4096];
    const ssize_t n = recv(theirs_.get(), buffer, sizeof buffer, 0);
    if (n > 0) heard_.append(buffer, n);
    return n > 0;
  }

  UniqueFd ours_, theirs_;
  std::string heard_;
  std::thread thread_;
};

}  // namespace ktstr
