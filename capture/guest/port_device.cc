#include "port_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace ktstr::guest {

namespace {

constexpr time_t kPortTimeoutSeconds = 30;

time_t Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

// Whether the port of that directory has the name.
bool HasName(const std::string& directory, const char* name) {
  const int fd = open((directory + "/name").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[128];
  const ssize_t size = read(fd, buffer, sizeof buffer);
  close(fd);
  return size > 0 && std::string(buffer, size) == std::string(name) + "\n";
}

// The device of the port with that name, such as "/dev/vport0p1"; "" while there is none.
std::string FindPort(const char* name) {
  const std::string ports = "/sys/class/virtio-ports";
  std::string path;
  DIR* dir = opendir(ports.c_str());
  if (dir == nullptr) return path;
  while (const dirent* entry = readdir(dir)) {
    const std::string port = entry->d_name;
    if (HasName(ports + "/" + port, name)) path = "/dev/" + port;
  }
  closedir(dir);
  return path;
}

}  // namespace

void Pause(int milliseconds) {
  const timespec pause = {0, milliseconds * 1'000'000L};
  nanosleep(&pause, nullptr);
}

int OpenPort(const char* name, std::string* error) {
  const time_t deadline = Seconds() + kPortTimeoutSeconds;
  // Ports are announced by the device some time after its driver is there.
  while (Seconds() < deadline) {
    const std::string path = FindPort(name);
    if (!path.empty()) {
      const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
      if (fd >= 0) return fd;
      if (errno != ENOENT) {
        *error = "opening " + path + ": " + strerror(errno);
        return -1;
      }
    }
    Pause(1);
  }
  *error = std::string("no virtio-serial port named '") + name + "'";
  return -1;
}

}  // namespace ktstr::guest
