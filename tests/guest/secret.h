// A secret that a program in a guest and a test know without telling each other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ktstr {

inline constexpr size_t kSecretSize = 32;

// The first numbers of a xorshift generator (Marsaglia, 2003).
inline void MakeSecret(uint8_t* out) {
  uint64_t state = 0x9e3779b97f4a7c15;
  for (size_t i = 0; i < kSecretSize; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    out[i] = static_cast<uint8_t>(state >> 32);
  }
}

}  // namespace ktstr
