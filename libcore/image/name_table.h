// NameTable: numbers by name, as one flat array that can be written to a file and used where it is
// mapped.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ktstr {

// The hash that places a name. Written to files: another one means another version of them.
uint64_t NameHash(std::string_view name);

// Open addressing with linear probing; the number of slots is a power of two, and some are empty.
struct NameSlot {
  static constexpr uint32_t kEmpty = UINT32_MAX;
  uint32_t number = kEmpty;
  uint32_t hash = 0;  // the upper half: tells most names apart without a look at them
};

// The slot of the name with that hash, or the empty one where it would stand. `is_name(number)`
// tells whether it is the number's name. nullptr when `slots` is no table (a damaged file: no
// slots, or none of them empty).
template <typename Slot, typename IsName>
Slot* FindNameSlot(std::span<Slot> slots, uint64_t hash, const IsName& is_name) {
  if (!std::has_single_bit(slots.size())) return nullptr;
  const size_t mask = slots.size() - 1;
  for (size_t probe = 0; probe < slots.size(); ++probe) {
    Slot& slot = slots[(hash + probe) & mask];
    if (slot.number == NameSlot::kEmpty) return &slot;
    if (slot.hash == hash >> 32 && is_name(slot.number)) return &slot;
  }
  return nullptr;
}

// Slots for so many names, at most half of them used.
inline std::vector<NameSlot> EmptyNameSlots(size_t names) {
  return std::vector<NameSlot>(std::bit_ceil(names * 2 + 1));
}

}  // namespace ktstr
