// The guest's end of the virtio-serial port: lines of JSON to and from the host.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

class HostPort {
 public:
  // Waits for the port's device and opens it. "" or what went wrong.
  std::string Open();

  int fd() const { return fd_; }
  // Safe from several threads at once; the rest is not.
  void Send(const nlohmann::json& message);
  // Takes in what has arrived.
  void Receive();
  // The next whole line that arrived, discarded if it is no JSON object; false when there is none.
  bool Next(nlohmann::json* message);

 private:
  int fd_ = -1;
  std::mutex sending_;
  std::string received_;
};

}  // namespace ktstr::guest
