// Stop: whether something that may run for long shall come to its end.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

namespace ktstr {

// Wanted when somebody asks for it, or when a time has passed.
class Stop {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Reason { kNone, kInterrupt, kTimeout };

  // Never wanted.
  Stop() = default;
  // `interrupt` is set by who asks, such as a signal's handler, and may be nullptr.
  Stop(const std::atomic<bool>* interrupt, std::optional<Clock::time_point> deadline)
      : interrupt_(interrupt), deadline_(deadline) {}

  // Cheap enough to be asked at every step of a walk.
  Reason reason() const {
    if (interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed)) {
      return Reason::kInterrupt;
    }
    return deadline_ && Clock::now() > *deadline_ ? Reason::kTimeout : Reason::kNone;
  }
  bool IsWanted() const { return reason() != Reason::kNone; }

 private:
  const std::atomic<bool>* interrupt_ = nullptr;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace ktstr
