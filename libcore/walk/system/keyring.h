// Where the kernel keeps its keys (security/keys): passwords of file systems, tickets,
// certificates.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// Bytes of a key: the key itself, its description, what it holds.
struct KeyMemory {
  Kva begin;
  uint64_t size = 0;  // in bytes
};

// Of every key that has a serial number (key_serial_tree, security/keys/key.c), the payload of
// keyrings aside, which are keys of their own. Empty for a kernel without keys. What cannot be read
// is an anomaly: then there may be more.
std::vector<KeyMemory> FindKeyMemory(const Walk& walk);

}  // namespace ktstr
