// Turns Ctrl-C into a flag that commands look at, so that they end cleanly.
#pragma once

#include <signal.h>

#include <atomic>
#include <initializer_list>
#include <utility>
#include <vector>

namespace ktstr {

// While one lives, these signals set a flag and do nothing else; calls of the system that wait end
// with EINTR. May be nested.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::initializer_list<int> signals = {SIGINT});
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Set since the process began, or was last cleared.
  static const std::atomic<bool>& flag();
  static void Clear();

 private:
  std::vector<std::pair<int, struct sigaction>> old_;
};

// Ends the process as SIGINT does, so that who started it can tell. To be called where no guard
// lives.
[[noreturn]] void EndAsInterrupted();

}  // namespace ktstr
