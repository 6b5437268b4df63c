#include "libcore/base/interrupt_guard.h"

#include <cstdlib>

namespace ktstr {

namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

}  // namespace

InterruptGuard::InterruptGuard(std::initializer_list<int> signals) {
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) { interrupted.store(true); };
  for (const int signal : signals) {
    sigaction(signal, &action, &old);
    old_.emplace_back(signal, old);
  }
}

InterruptGuard::~InterruptGuard() {
  for (const auto& [signal, old] : old_) sigaction(signal, &old, nullptr);
}

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
