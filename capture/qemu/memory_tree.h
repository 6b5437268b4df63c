// Reads QEMU's "info mtree -f": which region of QEMU's answers at which guest-physical address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

// A range of guest-physical addresses as the CPUs see it.
struct MemoryTreeRange {
  Pa begin;
  uint64_t size = 0;    // in bytes
  std::string kind;     // "ram", "rom", "i/o", …
  std::string region;   // the memory region's name; a memory backend's is its id
  uint64_t offset = 0;  // of `begin` in that region, in bytes

  friend bool operator==(const MemoryTreeRange&, const MemoryTreeRange&) = default;
};

// The ranges of the address space named "memory", in ascending order. Errors: kPeer when the text
// has no such address space or a range that makes no sense.
Result<std::vector<MemoryTreeRange>> ParseMemoryTree(std::string_view info_mtree_f);

}  // namespace ktstr
