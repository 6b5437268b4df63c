// The other end of a socket, acted by a thread: says what a test wants a QMP server to say.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "ktstr/capture/json_socket.h"

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
  void Say(const std::string& line) {
    const std::string text = line + "\n";
    std::ignore = send(theirs_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  // The next line the client sent, as JSON; null when it is gone.
  nlohmann::json Hear() {
    size_t end;
    while ((end = heard_.find('\n')) == std::string::npos) {
      char buffer[4096];
      const ssize_t n = recv(theirs_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) return nullptr;
      heard_.append(buffer, n);
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
  UniqueFd ours_, theirs_;
  std::string heard_;
  std::thread thread_;
};

}  // namespace ktstr
