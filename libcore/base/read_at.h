// Reads from a place in a file as far as it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ktstr {

// How far it went.
struct ReadCount {
  size_t bytes = 0;
  int error = 0;  // errno of what failed; 0 where the file ended, or all was read
};

// Fills `out` from `offset` on (pread): fewer bytes only where the file ends or reading fails.
ReadCount ReadFully(int fd, uint64_t offset, std::span<std::byte> out);

}  // namespace ktstr
