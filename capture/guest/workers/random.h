// Numbers that look random and are the same each time for the same seed.
#pragma once

#include <cstdint>

namespace ktstr::guest {

// Xorshift64* (Marsaglia, Vigna).
class Random {
 public:
  explicit Random(int64_t seed) : state_(uint64_t(seed) * 0x9E3779B97F4A7C15 + 1) {}

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }
  // From 0 to bound - 1; `bound` is positive.
  int64_t Below(int64_t bound) { return int64_t((Next() >> 1) % uint64_t(bound)); }
  // Between half and one and a half of `mean`.
  int64_t Around(int64_t mean) { return mean / 2 + Below(mean + 1); }

 private:
  uint64_t state_;
};

}  // namespace ktstr::guest
