// Turns Ctrl-C into a flag that commands look at, so that they end cleanly.
#pragma once

#include <signal.h>

#include <atomic>

namespace ktstr {

// While one lives, SIGINT sets a flag and does nothing else; calls of the system that wait end with
// EINTR. May be nested.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Set since the process began, or was last cleared.
  static const std::atomic<bool>& flag();
  static void Clear();

 private:
  struct sigaction old_ = {};
};

// Ends the process as SIGINT does, so that who started it can tell. To be called where no guard
// lives.
[[noreturn]] void EndAsInterrupted();

}  // namespace ktstr
