// Changes of guest memory as a fuzzer's input says them, 8 bytes each. A change falls on a word
// that is not zero in one of some pages; every second one on a word that is a pointer, most of
// which are followed.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "libcore/base/address.h"
#include "mutated_memory.h"

namespace ktstr::fuzz {

class Changes {
 public:
  // The words of these pages as they are. `page_offset` is where the kernel maps physical address
  // 0.
  Changes(const GuestMemory& memory, std::span<const Pfn> pages, Kva page_offset);

  // Applies what the input says, up to a limit.
  void Apply(std::span<const uint8_t> input, MutatedMemory& memory) const;

 private:
  struct One;
  struct Pointer {
    Pa at;
    uint64_t value;
  };
  void Apply(const One& change, MutatedMemory& memory) const;

  Kva page_offset_;
  std::vector<Pa> words_;
  std::vector<Pointer> pointers_;
};

}  // namespace ktstr::fuzz
