#include "host_port.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "port_device.h"
#include "protocol.h"

namespace ktstr::guest {

std::string HostPort::Open() {
  std::string error;
  fd_ = OpenPort(kPortName, &error);
  return error;
}

void HostPort::Send(const nlohmann::json& message) {
  // The log may hold bytes that are no UTF-8.
  const std::string line =
      message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(sending_);
  for (size_t at = 0; at < line.size();) {
    const ssize_t n = write(fd_, line.data() + at, line.size() - at);
    if (n > 0) {
      at += n;
    } else if (errno == EAGAIN || errno == EINTR) {
      Pause(1);
    } else {
      return;
    }
  }
}

void HostPort::Receive() {
  char buffer[4096];
  const ssize_t n = read(fd_, buffer, sizeof buffer);
  if (n > 0) {
    received_.append(buffer, n);
  } else {
    Pause(10);  // the host's side is closed: there is no event to wait for
  }
}

bool HostPort::Next(nlohmann::json* message) {
  for (size_t end; (end = received_.find('\n')) != std::string::npos;) {
    *message = nlohmann::json::parse(received_.substr(0, end), nullptr, false);
    received_.erase(0, end + 1);
    if (message->is_object()) return true;
  }
  return false;
}

}  // namespace ktstr::guest
