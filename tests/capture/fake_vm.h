// A QEMU that can be stopped and let go, and remembers that it was.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "scripted_peer.h"

namespace ktstr {

// A QMP server that knows query-status, stop and cont, and writes down what it was asked.
class FakeVm {
 public:
  FakeVm(std::string status, bool running)
      : peer_([this, status, running](ScriptedPeer& p) {
          p.Greet();
          for (nlohmann::json request; !(request = p.Hear()).is_null();) {
            const std::string command = request["execute"];
            {
              const std::lock_guard lock(mutex_);
              commands_.push_back(command);
            }
            p.Return(request, command == "query-status"
                                  ? nlohmann::json{{"status", status}, {"running", running}}
                                  : nlohmann::json::object());
          }
        }),
        qmp_(std::move(
            *QmpClient::Open(peer_.TakeClientEnd(), "the VM", std::chrono::seconds(10)))) {}

  QmpClient& qmp() { return *qmp_; }
  std::vector<std::string> commands() {
    const std::lock_guard lock(mutex_);
    return commands_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> commands_;
  ScriptedPeer peer_;
  std::unique_ptr<QmpClient> qmp_;
};

}  // namespace ktstr
