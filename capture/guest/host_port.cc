#include "host_port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc_account.h"
#include "protocol.h"
#include "worker.h"

namespace ktstr::guest {

namespace {

constexpr uint64_t kPortTimeoutNs = 30'000'000'000;

void Pause(int milliseconds) {
  const timespec pause = {0, milliseconds * 1'000'000L};
  nanosleep(&pause, nullptr);
}

// The device of the port with our name, such as "/dev/vport0p1"; "" while there is none.
std::string FindPort() {
  std::string path;
  DIR* dir = opendir("/sys/class/virtio-ports");
  if (dir == nullptr) return path;
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (ReadFile("/sys/class/virtio-ports/" + name + "/name") == std::string(kPortName) + "\n") {
      path = "/dev/" + name;
    }
  }
  closedir(dir);
  return path;
}

}  // namespace

std::string HostPort::Open() {
  const uint64_t deadline = NowNs() + kPortTimeoutNs;
  // Ports are announced by the device some time after its driver is there.
  while (NowNs() < deadline) {
    const std::string path = FindPort();
    if (!path.empty()) {
      fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
      if (fd_ >= 0) return "";
      if (errno != ENOENT) return "opening " + path + ": " + strerror(errno);
    }
    Pause(1);
  }
  return std::string("no virtio-serial port named '") + kPortName + "'";
}

void HostPort::Send(const nlohmann::json& message) {
  // The log may hold bytes that are no UTF-8.
  const std::string line =
      message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
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
