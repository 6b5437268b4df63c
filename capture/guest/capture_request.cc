#include "capture_request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol.h"

namespace ktstr::guest {

CaptureRequests::CaptureRequests() : fd_(-1) {
  mkfifo(kCapturePath, 0666);
  // Open for both: it never has no writer, and poll(2) waits for lines alone.
  fd_ = open(kCapturePath, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

bool CaptureRequests::Next(std::string* why) {
  char buffer[512];
  for (ssize_t n; (n = read(fd_, buffer, sizeof buffer)) > 0;) received_.append(buffer, size_t(n));
  const size_t end = received_.find('\n');
  if (end == std::string::npos) return false;
  *why = received_.substr(0, end);
  received_.erase(0, end + 1);
  return true;
}

}  // namespace ktstr::guest
