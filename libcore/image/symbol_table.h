// SymbolTable: names and addresses of a kernel, wherever they were read from; lookup both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// One symbol. `address` is link-time or run-time, as the table says; for zero-based per-CPU symbols
// (x86-64 before 6.15) and absolute ones it is the plain value.
struct Symbol {
  std::string_view name;  // lives as long as the table
  uint64_t address = 0;
  char type = '?';  // as in nm: 't', 'T', 'd', 'A', …
};

class SymbolTable {
 public:
  // Collects symbols; names are copied into one buffer.
  class Builder {
   public:
    void Reserve(size_t symbols, size_t name_bytes);
    void Add(std::string_view name, uint64_t address, char type);
    SymbolTable Build() &&;

   private:
    friend class SymbolTable;
    struct Entry {
      uint64_t address;
      uint32_t name_offset;
      uint16_t name_size;
      char type;
    };
    std::string names_;
    std::vector<Entry> entries_;
  };

  size_t size() const { return entries_.size(); }
  // Symbols in ascending order of address; those of equal address in the order they were added.
  Symbol at(size_t index) const;

  // The symbol of that name. Errors: kNotFound; kAmbiguous when symbols of that name have different
  // addresses (static variables of several files), with how many.
  Result<Symbol> Find(std::string_view name) const;
  // All symbols of that name, in ascending order of address.
  std::vector<Symbol> FindAll(std::string_view name) const;
  // The last symbol at or below `address` (of several at one address the first), nothing when there
  // is none. Symbols have no sizes: the caller judges whether the distance is plausible.
  std::optional<Symbol> FindAt(uint64_t address) const;

 private:
  using Entry = Builder::Entry;
  static constexpr uint32_t kEmpty = UINT32_MAX;

  std::string_view NameOf(const Entry& entry) const {
    return std::string_view(names_).substr(entry.name_offset, entry.name_size);
  }
  // The first entry of a name, and the upper half of the name's hash: most of the names that share
  // a probe sequence are told apart without a look at them.
  struct Slot {
    uint32_t entry = kEmpty;
    uint32_t hash = 0;
  };
  void IndexNames();
  size_t SlotOf(std::string_view name, uint64_t hash) const;
  // Index of the first entry of that name, or kEmpty.
  uint32_t FirstOf(std::string_view name) const;

  std::string names_;
  std::vector<Entry> entries_;  // by address
  std::vector<Slot> slots_;     // open addressing
  std::vector<uint32_t> next_;  // by entry: the next one of the same name, or kEmpty
};

}  // namespace ktstr
