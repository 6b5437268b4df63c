// Lets a guest of somebody else's go on when we die while it stands still for us.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// A small process that waits for our end. It has a session of its own, so that what is sent to our
// terminal or our process group does not reach it, no signal but SIGKILL ends it, and of our files
// it has one end of a pair of sockets. When the other end closes without a word, however that came,
// it connects to QEMU's monitor (which serves one client: us, until we are gone), lets the guest go
// on if it stands still as we left it, has QEMU close the files that we handed to it, and ends. A
// QEMU that does not answer is asked again for ten minutes.
class ThawGuard {
 public:
  enum class Guest : uint8_t {
    kGoesOn,    // it ran before
    kStaysPut,  // only our files are taken from QEMU
  };

  // Starts it, before the guest is stopped. `address`: as QmpClient::Connect takes it. Errors: kIo.
  static Result<ThawGuard> Start(const std::string& address, Guest guest);

  ThawGuard(ThawGuard&&) noexcept = default;
  ThawGuard& operator=(ThawGuard&&) = delete;
  // Where nobody has said that it is done, the process begins its work: QEMU serves it once our own
  // connection is closed.
  ~ThawGuard() = default;

  // There is nothing left to do: ends it, and waits for that.
  void Dismiss();

  pid_t pid() const { return pid_; }

 private:
  ThawGuard(UniqueFd line, pid_t pid) : line_(std::move(line)), pid_(pid) {}

  UniqueFd line_;
  pid_t pid_;
};

}  // namespace ktstr
