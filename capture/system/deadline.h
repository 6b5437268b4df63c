// Points in time by which something must have happened.
#pragma once

#include <algorithm>
#include <chrono>

namespace ktstr {

using Deadline = std::chrono::steady_clock::time_point;

inline Deadline After(std::chrono::milliseconds timeout) {
  return std::chrono::steady_clock::now() + timeout;
}

// What is left until the deadline in the form that poll(2) takes: ms, rounded up, at least 0.
inline int PollTimeout(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000'000));
}

}  // namespace ktstr
