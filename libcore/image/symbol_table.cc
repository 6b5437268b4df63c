#include "libcore/image/symbol_table.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace ktstr {

namespace {
uint64_t HashOf(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }
}  // namespace

void SymbolTable::Builder::Reserve(size_t symbols, size_t name_bytes) {
  entries_.reserve(symbols);
  names_.reserve(name_bytes);
}

void SymbolTable::Builder::Add(std::string_view name, uint64_t address, char type) {
  entries_.push_back(
      {address, static_cast<uint32_t>(names_.size()), static_cast<uint16_t>(name.size()), type});
  names_.append(name);
}

SymbolTable SymbolTable::Builder::Build() && {
  SymbolTable table;
  table.names_ = std::move(names_);
  table.entries_ = std::move(entries_);
  const auto by_address = [](const Entry& a, const Entry& b) { return a.address < b.address; };
  if (!std::is_sorted(table.entries_.begin(), table.entries_.end(), by_address)) {
    std::stable_sort(table.entries_.begin(), table.entries_.end(), by_address);
  }
  table.IndexNames();
  return table;
}

// Some names stand in the table thousands of times (__func__.0): a slot holds the first entry of a
// name, which chains to the others. From the last entry to the first, so that chains ascend by
// address.
void SymbolTable::IndexNames() {
  slots_.assign(std::bit_ceil(entries_.size() * 2 + 1), Slot());
  next_.assign(entries_.size(), kEmpty);
  for (uint32_t i = static_cast<uint32_t>(entries_.size()); i-- > 0;) {
    const std::string_view name = NameOf(entries_[i]);
    const uint64_t hash = HashOf(name);
    Slot& slot = slots_[SlotOf(name, hash)];
    next_[i] = slot.entry;
    slot = {i, static_cast<uint32_t>(hash >> 32)};
  }
}

// The slot that holds the name, or the empty one where it would stand.
size_t SymbolTable::SlotOf(std::string_view name, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const Slot& here = slots_[slot];
    if (here.entry == kEmpty) return slot;
    if (here.hash == hash >> 32 && NameOf(entries_[here.entry]) == name) return slot;
  }
}

uint32_t SymbolTable::FirstOf(std::string_view name) const {
  return slots_.empty() ? kEmpty : slots_[SlotOf(name, HashOf(name))].entry;
}

Symbol SymbolTable::at(size_t index) const {
  const Entry& entry = entries_[index];
  return {NameOf(entry), entry.address, entry.type};
}

std::vector<Symbol> SymbolTable::FindAll(std::string_view name) const {
  std::vector<Symbol> found;
  for (uint32_t i = FirstOf(name); i != kEmpty; i = next_[i]) found.push_back(at(i));
  return found;
}

Result<Symbol> SymbolTable::Find(std::string_view name) const {
  const uint32_t first = FirstOf(name);
  if (first == kEmpty) {
    return Fail(ErrorCode::kNotFound, fmt::format("the kernel has no symbol '{}'", name));
  }
  size_t count = 1;
  uint32_t last = first;
  for (; next_[last] != kEmpty; last = next_[last]) ++count;
  if (entries_[first].address != entries_[last].address) {
    return Fail(ErrorCode::kAmbiguous,
                fmt::format("the kernel has {} symbols named '{}', from {:#x} to {:#x}", count,
                            name, entries_[first].address, entries_[last].address));
  }
  return at(first);
}

std::optional<Symbol> SymbolTable::FindAt(uint64_t address) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), address,
                                [](uint64_t a, const Entry& e) { return a < e.address; });
  if (after == entries_.begin()) return std::nullopt;
  const uint64_t base = std::prev(after)->address;
  const auto first = std::lower_bound(entries_.begin(), after, base,
                                      [](const Entry& e, uint64_t a) { return e.address < a; });
  return at(static_cast<size_t>(first - entries_.begin()));
}

}  // namespace ktstr
