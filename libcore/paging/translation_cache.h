// A lock-free cache of virtual-to-physical translations of the kernel half of one address space.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ktstr {

// A direct-mapped table whose entries are one 64-bit word each, so that threads share it without
// locks and without torn pairs. Maps a key (a virtual address shifted right, top bit set as it is
// in the kernel half) to a value of 33 bits.
template <size_t kIndexBits, size_t kKeyBits>
class DirectMappedTable {
 public:
  static constexpr size_t kValueBits = 33;
  // The top bit of a kernel address's key is always set, so the entry's own top bit can mean
  // "valid".
  static constexpr size_t kTagBits = kKeyBits - kIndexBits - 1;
  static_assert(kTagBits + kValueBits + 1 <= 64, "an entry must fit into one word");
  static constexpr uint64_t kMaxValue = (uint64_t{1} << kValueBits) - 1;

  // True and the value when the key is there.
  bool Find(uint64_t key, uint64_t& value) const {
    const uint64_t entry = entries_[Index(key)].load(std::memory_order_relaxed);
    value = entry & kMaxValue;
    return (entry >> kValueBits) == Stamp(key);
  }
  // Remembers the pair, in place of whatever shared its slot. `value` must not exceed kMaxValue.
  void Insert(uint64_t key, uint64_t value) {
    entries_[Index(key)].store((Stamp(key) << kValueBits) | value, std::memory_order_relaxed);
  }
  void Clear() {
    for (auto& entry : entries_) entry.store(0, std::memory_order_relaxed);
  }

 private:
  static size_t Index(uint64_t key) { return key & ((size_t{1} << kIndexBits) - 1); }
  static uint64_t Stamp(uint64_t key) {
    const uint64_t tag = (key >> kIndexBits) & ((uint64_t{1} << kTagBits) - 1);
    return tag | (uint64_t{1} << kTagBits);
  }

  std::array<std::atomic<uint64_t>, size_t{1} << kIndexBits> entries_ = {};
};

// Keys are those of a 57-bit address space; a 48-bit one is a subset of it.
// Page frames: 45 bits of key (57 - 12), of which 14 index.
using PageTranslationCache = DirectMappedTable<14, 45>;
// What the level-2 (PMD) entry says: 36 bits of key (57 - 21), of which 11 index.
using DirectoryTranslationCache = DirectMappedTable<11, 36>;

}  // namespace ktstr
