// SymbolTable: names and addresses of a kernel, wherever they were read from; lookup both ways.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/image/name_table.h"

namespace ktstr {

// One symbol. `address` is link-time or run-time, as the table says; for zero-based per-CPU symbols
// (x86-64 before 6.15) and absolute ones it is the plain value.
struct Symbol {
  std::string_view name;  // lives as long as the table
  uint64_t address = 0;
  char type = '?';  // as in nm: 't', 'T', 'd', 'A', …
};

// A symbol as it is stored, in memory and in files.
struct SymbolEntry {
  uint64_t address;
  uint32_t name_offset;  // in the text of all names
  uint16_t name_size;
  char type;
  uint8_t unused = 0;
};

// What a table consists of: flat arrays, which can be kept in a file and used where that is mapped.
struct SymbolArrays {
  std::string_view names;
  std::span<const SymbolEntry> entries;  // by address
  std::span<const NameSlot> slots;       // by name, the first entry of it
  std::span<const uint32_t> next;  // by entry: the next one of the same name, or NameSlot::kEmpty
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
    std::string names_;
    std::vector<SymbolEntry> entries_;
  };

  // The kernel's half of the addresses that KASLR moves begins here: __START_KERNEL_map
  // (arch/x86/include/asm/page_64_types.h).
  static constexpr uint64_t kMoves = 0xffffffff80000000;

  SymbolTable() = default;
  // Arrays that another table consisted of, kept alive by `owner`. Errors: kDamaged when they do
  // not fit each other.
  static Result<SymbolTable> With(const SymbolArrays& arrays, std::shared_ptr<const void> owner);
  // The same symbols of a kernel that lies elsewhere: those at or above kMoves are moved, modulo
  // 2^64.
  SymbolTable MovedBy(uint64_t slide) const {
    SymbolTable moved = *this;
    moved.slide_ += slide;
    return moved;
  }

  size_t size() const { return arrays_.entries.size(); }
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

  const SymbolArrays& arrays() const { return arrays_; }

 private:
  std::string_view NameOf(uint32_t entry) const {
    return arrays_.names.substr(arrays_.entries[entry].name_offset,
                                arrays_.entries[entry].name_size);
  }
  uint64_t AddressOf(const SymbolEntry& entry) const {
    return entry.address + (entry.address >= kMoves ? slide_ : 0);
  }
  // Index of the first entry of that name, or NameSlot::kEmpty.
  uint32_t FirstOf(std::string_view name) const;

  SymbolArrays arrays_;
  uint64_t slide_ = 0;
  std::shared_ptr<const void> owner_;
};

}  // namespace ktstr
