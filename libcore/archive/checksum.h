// XXH3 as the format uses it: seed 0, no secret.
#pragma once

#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace ktstr::archive {

inline uint64_t Checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// The 128-bit hash in its canonical byte order.
using Digest = std::array<std::byte, 16>;

inline Digest CanonicalDigest(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Digest digest;
  static_assert(sizeof(canonical.digest) == sizeof(digest));
  std::memcpy(digest.data(), canonical.digest, sizeof(digest));
  return digest;
}

inline Digest DigestOf(std::span<const std::byte> bytes) {
  return CanonicalDigest(XXH3_128bits(bytes.data(), bytes.size()));
}

// The same of bytes that come in pieces.
class DigestStream {
 public:
  DigestStream() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }

  void Add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  }
  Digest Get() const { return CanonicalDigest(XXH3_128bits_digest(state_.get())); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace ktstr::archive
