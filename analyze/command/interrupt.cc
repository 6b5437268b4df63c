#include "analyze/command/interrupt.h"

#include <cstdlib>

namespace ktstr {

namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

}  // namespace

InterruptGuard::InterruptGuard() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted.store(true); };
  sigaction(SIGINT, &action, &old_);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &old_, nullptr); }

const std::atomic<bool>& InterruptGuard::flag() { return interrupted; }

void InterruptGuard::Clear() { interrupted.store(false); }

void EndAsInterrupted() {
  constexpr int kSignalled = 128;  // as a shell says it
  signal(SIGINT, SIG_DFL);
  raise(SIGINT);
  // Where it is blocked.
  std::_Exit(kSignalled + SIGINT);
}

}  // namespace ktstr
