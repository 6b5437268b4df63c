// kallsyms: the symbol table that a kernel carries in its own rodata (kernel/kallsyms.c,
// scripts/kallsyms.c), decoded out of guest memory.
#pragma once

#include <optional>
#include <string_view>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/symbol_table.h"
#include "libcore/image/vmcoreinfo.h"
#include "libcore/paging/address_space.h"

namespace ktstr {

// How the table stores addresses.
enum class KallsymsEncoding {
  kAbsolute,        // an array of addresses (configurable before 6.11)
  kBaseRelative,    // unsigned offsets from kallsyms_relative_base (4.6 to before 7.0)
  kAbsolutePercpu,  // positive: absolute; negative: relative_base - 1 - offset (4.6 to before 6.15)
  kPlaceRelative,   // signed distance from the entry itself (7.0 on)
};

// As shown to people: "absolute", "base-relative", "absolute-percpu", "place-relative".
std::string_view KallsymsEncodingName(KallsymsEncoding encoding);

// The length of a name, which stands before it; `next` gives the next byte of the names. Since 6.1
// one above 127 takes two bytes (73bbb94466fd).
template <typename NextByte>
size_t KallsymsNameLength(NextByte next) {
  const size_t length = next();
  return (length & 0x80) == 0 ? length : (length & 0x7f) | (size_t{next()} << 7);
}

// Where the tables are; all run-time addresses.
struct KallsymsTables {
  Kva names;
  Kva num_syms;
  Kva token_table;
  Kva token_index;
  std::optional<Kva> addresses;      // kAbsolute
  std::optional<Kva> offsets;        // the others
  std::optional<Kva> relative_base;  // where it stands, not its value

  // From a kernel's own note. Errors: kUnsupported when it does not tell (before 6.0).
  static Result<KallsymsTables> From(const Vmcoreinfo& info);
};

// A symbol whose run-time address is known from elsewhere: tells the right encoding from the
// others.
struct KnownSymbol {
  std::string_view name;
  Kva address;
};

// How long what lies at the tables' addresses is.
struct KallsymsExtents {
  uint32_t symbols = 0;
  uint64_t name_bytes = 0;   // at KallsymsTables::names
  uint64_t token_bytes = 0;  // at KallsymsTables::token_table

  friend bool operator==(const KallsymsExtents&, const KallsymsExtents&) = default;
};

struct Kallsyms {
  SymbolTable symbols;  // run-time addresses
  KallsymsEncoding encoding;
  KallsymsExtents extents;

  // Decodes the tables. Of the encodings that the tables allow the one is taken in which every
  // symbol of `known` (at least one) has its known address. Errors: kDamaged (no encoding fits, or
  // a count or length that cannot be), and those of AddressSpace::Read.
  static Result<Kallsyms> Read(const AddressSpace& space, const KallsymsTables& tables,
                               std::span<const KnownSymbol> known);
};

}  // namespace ktstr
