// The way for programs in the guest to ask for a capture: a FIFO. `echo why > /ktstr/capture`.
#pragma once

#include <string>

namespace ktstr::guest {

class CaptureRequests {
 public:
  // Makes the FIFO. Where that fails, fd() is -1 and nobody can ask.
  CaptureRequests();

  int fd() const { return fd_; }
  // The next whole line that arrived: why; false when there is none.
  bool Next(std::string* why);

 private:
  int fd_;
  std::string received_;
};

}  // namespace ktstr::guest
