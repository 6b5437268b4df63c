// A QEMU of somebody else's, as its monitor shows it: a QMP server on a socket in the file system,
// which serves one client after the other.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "capture/qemu/json_socket.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {

class FakeMonitor {
 public:
  struct Heard {
    int client;  // 1 for the first
    std::string command;

    friend bool operator==(const Heard&, const Heard&) = default;
  };

  // `status` is the guest's run state. To the command `silent_at` the first client gets no answer.
  explicit FakeMonitor(std::string status, std::string silent_at = "")
      : status_(std::move(status)), silent_at_(std::move(silent_at)) {
    const std::string path = address();
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name);
    listen(listener_.get(), 1);  // as QEMU does
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeMonitor() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string address() const { return directory_ / "qmp"; }

  std::string status() {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  void SetStatus(const std::string& status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  std::vector<Heard> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  // Whether that client has said that, waited for.
  bool Await(const Heard& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] {
      return std::find(heard_.begin(), heard_.end(), wanted) != heard_.end();
    });
  }

 private:
  void Serve() {
    for (int client = 1;; ++client) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      JsonSocket socket(std::move(fd), "the client");
      std::ignore = socket.Send(nlohmann::json::parse(R"({"QMP": {}})"), After(kLong));
      while (const auto request = socket.Receive(After(kLong))) {
        if (auto answer = Answer(client, *request))
          std::ignore = socket.Send(*answer, After(kLong));
      }
    }
  }

  std::optional<nlohmann::json> Answer(int client, const nlohmann::json& request) {
    const std::lock_guard lock(mutex_);
    const std::string command = request["execute"];
    heard_.push_back({client, command});
    changed_.notify_all();
    nlohmann::json value = nlohmann::json::object();
    if (command == "stop" && status_ == "running") status_ = "paused";
    if (command == "cont") status_ = "running";
    if (command == "query-status") value = {{"status", status_}, {"running", status_ == "running"}};
    if (command == "query-fdsets") value = nlohmann::json::array();
    if (client == 1 && command == silent_at_) return std::nullopt;
    return nlohmann::json{{"id", request["id"]}, {"return", value}};
  }

  static constexpr std::chrono::minutes kLong{1};

  synthetic::TemporaryDirectory directory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string status_;
  const std::string silent_at_;
  std::vector<Heard> heard_;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace ktstr
