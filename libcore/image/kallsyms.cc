#include "libcore/image/kallsyms.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <vector>

namespace ktstr {

// The table (scripts/kallsyms.c writes it, kernel/kallsyms.c reads it) has an address and a name
// for each symbol, in ascending order of addresses. A name is a length and that many bytes, each of
// which stands for a token: a piece of text that occurs in many names. There are 256 tokens;
// token_index says where each begins in token_table. The first letter of the expanded text is the
// symbol's type as nm shows it.
//
// Addresses have been written down in four ways (KallsymsEncoding). Nothing in the table says which
// one it is, so each that is possible is tried on symbols whose addresses are known from
// VMCOREINFO.

namespace {

// No kernel has more; a larger count is damage, not something to allocate for.
constexpr uint32_t kMaxSymbols = 8 << 20;
constexpr size_t kTokenTableMax = 64 << 10;
constexpr size_t kMaxNameBytes = size_t{kMaxSymbols} * 16;
// KSYM_NAME_LEN is 512 at most; anything longer is damage.
constexpr size_t kMaxName = 4096;
// Of all names, expanded. A byte can stand for 64 KiB of text, so that the table's own size is no
// bound.
constexpr size_t kMaxNamesText = size_t{256} << 20;
// Of a list of addresses that were looked at; a message need not show more.
constexpr size_t kMaxSeen = 512;

// Reads an array that grows towards higher addresses as far as it is needed.
class ByteStream {
 public:
  ByteStream(const AddressSpace& space, Kva at) : space_(space), base_(at) {}

  // Makes [0, size) available. Errors: those of AddressSpace::Read.
  Status Need(size_t size) {
    while (bytes_.size() < size) {
      const size_t old = bytes_.size();
      const size_t to_page_end = kPageSize - (base_ + old).page_offset();
      bytes_.resize(old + to_page_end);
      KTSTR_TRY(space_.Read(base_ + old, std::span(bytes_).subspan(old)));
    }
    return {};
  }
  uint8_t operator[](size_t i) const { return static_cast<uint8_t>(bytes_[i]); }

 private:
  const AddressSpace& space_;
  Kva base_;
  std::vector<std::byte> bytes_;
};

struct Tokens {
  std::array<std::string, 256> text;
  uint64_t table_bytes = 0;
};

Result<Tokens> ReadTokens(const AddressSpace& space, const KallsymsTables& tables) {
  std::array<uint16_t, 256> index;
  KTSTR_TRY(space.Read(tables.token_index, std::as_writable_bytes(std::span(index))));
  ByteStream table(space, tables.token_table);
  Tokens tokens;
  for (size_t i = 0; i < tokens.text.size(); ++i) {
    for (size_t at = index[i];; ++at) {
      if (at >= kTokenTableMax)
        return Fail(ErrorCode::kDamaged, "the kallsyms token table does not end");
      KTSTR_TRY(table.Need(at + 1));
      tokens.table_bytes = std::max<uint64_t>(tokens.table_bytes, at + 1);
      if (table[at] == 0) break;
      tokens.text[i].push_back(static_cast<char>(table[at]));
    }
  }
  return tokens;
}

// The names, one after the other, each with its type letter first.
struct Names {
  std::string text;
  std::vector<uint32_t> begin;  // count + 1 offsets into text
  KallsymsExtents extents;
};

Result<Names> ReadNames(const AddressSpace& space, const KallsymsTables& tables, uint32_t count) {
  const Tokens tokens = KTSTR_TRY(ReadTokens(space, tables));
  ByteStream stream(space, tables.names);
  Names names;
  names.begin.reserve(count + 1);
  names.text.reserve(size_t{count} * 24);
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    KTSTR_TRY(stream.Need(at + 2));
    const size_t length = KallsymsNameLength([&] { return stream[at++]; });
    if (length == 0 || length > kMaxName || at + length > kMaxNameBytes) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("kallsyms entry {} of {} has a name of {} bytes", i, count, length));
    }
    KTSTR_TRY(stream.Need(at + length));
    names.begin.push_back(static_cast<uint32_t>(names.text.size()));
    for (size_t end = at + length; at < end; ++at) {
      names.text += tokens.text[stream[at]];
      if (names.text.size() - names.begin.back() > kMaxName || names.text.size() > kMaxNamesText) {
        return Fail(
            ErrorCode::kDamaged,
            fmt::format("kallsyms entry {} of {} expands to a name that cannot be", i, count));
      }
    }
    if (names.text.size() == names.begin.back()) {
      return Fail(ErrorCode::kDamaged, fmt::format("kallsyms entry {} has no type letter", i));
    }
  }
  names.begin.push_back(static_cast<uint32_t>(names.text.size()));
  names.extents = {count, at, tokens.table_bytes};
  return names;
}

// The tables' raw address words, before their encoding is known.
struct RawAddresses {
  std::vector<uint64_t> addresses;  // kAbsolute
  std::vector<uint32_t> offsets;    // the others
  Kva offsets_at;
  uint64_t relative_base = 0;
  std::vector<KallsymsEncoding> candidates;
};

Result<RawAddresses> ReadRawAddresses(const AddressSpace& space, const KallsymsTables& tables,
                                      uint32_t count) {
  RawAddresses raw;
  if (tables.addresses) {
    raw.addresses.resize(count);
    KTSTR_TRY(space.Read(*tables.addresses, std::as_writable_bytes(std::span(raw.addresses))));
    raw.candidates = {KallsymsEncoding::kAbsolute};
    return raw;
  }
  raw.offsets.resize(count);
  raw.offsets_at = *tables.offsets;
  KTSTR_TRY(space.Read(*tables.offsets, std::as_writable_bytes(std::span(raw.offsets))));
  if (!tables.relative_base) {
    raw.candidates = {KallsymsEncoding::kPlaceRelative};
    return raw;
  }
  raw.relative_base = KTSTR_TRY(space.ReadScalar<uint64_t>(*tables.relative_base));
  raw.candidates = {KallsymsEncoding::kAbsolutePercpu, KallsymsEncoding::kBaseRelative};
  return raw;
}

uint64_t AddressAt(const RawAddresses& raw, KallsymsEncoding encoding, size_t i) {
  switch (encoding) {
    case KallsymsEncoding::kAbsolute:
      return raw.addresses[i];
    case KallsymsEncoding::kBaseRelative:
      return raw.relative_base + raw.offsets[i];
    case KallsymsEncoding::kAbsolutePercpu: {
      const int64_t offset = static_cast<int32_t>(raw.offsets[i]);
      return offset >= 0 ? static_cast<uint64_t>(offset)
                         : raw.relative_base - 1 - static_cast<uint64_t>(offset);
    }
    case KallsymsEncoding::kPlaceRelative: {
      const int64_t distance = static_cast<int32_t>(raw.offsets[i]);
      return raw.offsets_at.value() + i * sizeof(uint32_t) + static_cast<uint64_t>(distance);
    }
  }
  return 0;
}

Result<KallsymsEncoding> ChooseEncoding(const Names& names, const RawAddresses& raw,
                                        std::span<const KnownSymbol> known) {
  std::string seen;
  for (const KallsymsEncoding encoding : raw.candidates) {
    size_t matches = 0;
    for (const KnownSymbol& symbol : known) {
      for (size_t i = 0; i + 1 < names.begin.size(); ++i) {
        const std::string_view name =
            std::string_view(names.text)
                .substr(names.begin[i] + 1, names.begin[i + 1] - names.begin[i] - 1);
        if (name != symbol.name) continue;
        const uint64_t address = AddressAt(raw, encoding, i);
        if (seen.size() < kMaxSeen) {
          seen += fmt::format("; {}: {} at {:#x}", KallsymsEncodingName(encoding), name, address);
        }
        if (address != symbol.address.value()) continue;
        ++matches;
        break;
      }
    }
    if (matches == known.size() && !known.empty()) return encoding;
  }
  return Fail(ErrorCode::kDamaged,
              fmt::format("no kallsyms encoding puts {} where VMCOREINFO has it ({:#x}){}",
                          known.empty() ? "any known symbol" : known.front().name,
                          known.empty() ? 0 : known.front().address.value(), seen));
}

}  // namespace

std::string_view KallsymsEncodingName(KallsymsEncoding encoding) {
  switch (encoding) {
    case KallsymsEncoding::kAbsolute:
      return "absolute";
    case KallsymsEncoding::kBaseRelative:
      return "base-relative";
    case KallsymsEncoding::kAbsolutePercpu:
      return "absolute-percpu";
    case KallsymsEncoding::kPlaceRelative:
      return "place-relative";
  }
  return "unknown";
}

Result<KallsymsTables> KallsymsTables::From(const Vmcoreinfo& info) {
  KallsymsTables tables;
  struct Wanted {
    std::string_view name;
    Kva* to;
  };
  for (const auto& [name, to] :
       {Wanted{"kallsyms_names", &tables.names}, Wanted{"kallsyms_num_syms", &tables.num_syms},
        Wanted{"kallsyms_token_table", &tables.token_table},
        Wanted{"kallsyms_token_index", &tables.token_index}}) {
    const auto address = info.Symbol(name);
    if (!address) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("VMCOREINFO of {} does not say where {} is (kernels since 6.0 do); "
                              "give the vmlinux file instead",
                              info.release(), name));
    }
    *to = *address;
  }
  tables.addresses = info.Symbol("kallsyms_addresses");
  tables.offsets = info.Symbol("kallsyms_offsets");
  tables.relative_base = info.Symbol("kallsyms_relative_base");
  if (!tables.addresses && !tables.offsets) {
    return Fail(ErrorCode::kUnsupported,
                "VMCOREINFO says neither where kallsyms_addresses nor where kallsyms_offsets is");
  }
  return tables;
}

Result<Kallsyms> Kallsyms::Read(const AddressSpace& space, const KallsymsTables& tables,
                                std::span<const KnownSymbol> known) {
  const auto count = KTSTR_TRY(space.ReadScalar<uint32_t>(tables.num_syms));
  if (count == 0 || count > kMaxSymbols) {
    return Fail(ErrorCode::kDamaged, fmt::format("kallsyms_num_syms is {}", count));
  }
  const RawAddresses raw = KTSTR_TRY(ReadRawAddresses(space, tables, count));
  const Names names = KTSTR_TRY(ReadNames(space, tables, count));
  const KallsymsEncoding encoding = KTSTR_TRY(ChooseEncoding(names, raw, known));
  SymbolTable::Builder builder;
  builder.Reserve(count, names.text.size());
  for (uint32_t i = 0; i < count; ++i) {
    const auto name =
        std::string_view(names.text).substr(names.begin[i], names.begin[i + 1] - names.begin[i]);
    builder.Add(name.substr(1), AddressAt(raw, encoding, i), name.front());
  }
  return Kallsyms{std::move(builder).Build(), encoding, names.extents};
}

}  // namespace ktstr
