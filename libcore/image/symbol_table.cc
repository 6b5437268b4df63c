#include "libcore/image/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

namespace {

struct OwnArrays {
  std::string names;
  std::vector<SymbolEntry> entries;
  std::vector<NameSlot> slots;
  std::vector<uint32_t> next;

  SymbolArrays Spans() const { return {names, entries, slots, next}; }
};

// Some names stand in the table thousands of times (__func__.0): a slot holds the first entry of a
// name, which chains to the others. From the last entry to the first, so that chains ascend by
// address.
void EnterNames(OwnArrays& own) {
  const auto name_of = [&](uint32_t entry) {
    return std::string_view(own.names).substr(own.entries[entry].name_offset,
                                              own.entries[entry].name_size);
  };
  own.slots = EmptyNameSlots(own.entries.size());
  own.next.assign(own.entries.size(), NameSlot::kEmpty);
  for (uint32_t i = static_cast<uint32_t>(own.entries.size()); i-- > 0;) {
    const std::string_view name = name_of(i);
    const uint64_t hash = NameHash(name);
    NameSlot* slot = FindNameSlot(std::span(own.slots), hash,
                                  [&](uint32_t entry) { return name_of(entry) == name; });
    own.next[i] = slot->number;
    *slot = {i, static_cast<uint32_t>(hash >> 32)};
  }
}

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
  auto own = std::make_shared<OwnArrays>();
  own->names = std::move(names_);
  own->entries = std::move(entries_);
  const auto by_address = [](const SymbolEntry& a, const SymbolEntry& b) {
    return a.address < b.address;
  };
  if (!std::is_sorted(own->entries.begin(), own->entries.end(), by_address)) {
    std::stable_sort(own->entries.begin(), own->entries.end(), by_address);
  }
  EnterNames(*own);
  SymbolTable table;
  table.arrays_ = own->Spans();
  table.owner_ = std::move(own);
  return table;
}

Result<SymbolTable> SymbolTable::With(const SymbolArrays& arrays,
                                      std::shared_ptr<const void> owner) {
  const size_t count = arrays.entries.size();
  const auto names_end = [&](const SymbolEntry& e) {
    return e.name_offset + uint64_t{e.name_size};
  };
  if (arrays.next.size() != count || count >= NameSlot::kEmpty ||
      std::ranges::any_of(arrays.entries, [&](const SymbolEntry& entry) {
        return names_end(entry) > arrays.names.size();
      })) {
    return Fail(ErrorCode::kDamaged, "the arrays of a symbol table do not fit each other");
  }
  SymbolTable table;
  table.arrays_ = arrays;
  table.owner_ = std::move(owner);
  return table;
}

uint32_t SymbolTable::FirstOf(std::string_view name) const {
  const NameSlot* slot = FindNameSlot(arrays_.slots, NameHash(name), [&](uint32_t entry) {
    return entry < size() && NameOf(entry) == name;
  });
  return slot == nullptr || slot->number >= size() ? NameSlot::kEmpty : slot->number;
}

Symbol SymbolTable::at(size_t index) const {
  const SymbolEntry& entry = arrays_.entries[index];
  return {NameOf(static_cast<uint32_t>(index)), AddressOf(entry), entry.type};
}

std::vector<Symbol> SymbolTable::FindAll(std::string_view name) const {
  std::vector<Symbol> found;
  // Chains ascend.
  for (uint32_t i = FirstOf(name), last = i; i != NameSlot::kEmpty && i < size() && i >= last;
       i = arrays_.next[i]) {
    found.push_back(at(i));
    last = i + 1;
  }
  return found;
}

Result<Symbol> SymbolTable::Find(std::string_view name) const {
  const std::vector<Symbol> found = FindAll(name);
  if (found.empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("the kernel has no symbol '{}'", name));
  }
  if (found.front().address != found.back().address) {
    return Fail(ErrorCode::kAmbiguous,
                fmt::format("the kernel has {} symbols named '{}', from {:#x} to {:#x}",
                            found.size(), name, found.front().address, found.back().address));
  }
  return found.front();
}

std::optional<Symbol> SymbolTable::FindAt(uint64_t address) const {
  const auto entries = arrays_.entries;
  const auto after = std::ranges::upper_bound(
      entries, address, {}, [this](const SymbolEntry& entry) { return AddressOf(entry); });
  if (after == entries.begin()) return std::nullopt;
  const auto first = std::ranges::lower_bound(entries.begin(), after, std::prev(after)->address, {},
                                              &SymbolEntry::address);
  return at(static_cast<size_t>(first - entries.begin()));
}

}  // namespace ktstr
