#include "libcore/image/kallsyms_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace ktstr {

// What scripts/kallsyms.c writes has a shape that nothing else has. The token table is 256 strings,
// of which those of the digits are the digits themselves, since no longer token is ever put in
// their place: "0\0" "1\0" … "9\0" leads to it. Behind it stands token_index, whose 256 numbers
// must be just the offsets of these strings. Before it stand, each at a multiple of 8,
//
//   num_syms, names, markers (the offset in names of each 256th symbol), …, token_table
//
// so that num_syms is found by going backwards until a count, walked name by name, ends where
// markers begin and agrees with them. The addresses stand before num_syms (until 6.3), or behind
// token_index.

namespace {

// The image with its BSS; what lies beyond is no table.
constexpr uint64_t kMaxImage = uint64_t{256} << 20;
// Once so much in one piece is not mapped, the image has ended.
constexpr uint64_t kMaxGap = uint64_t{16} << 20;
constexpr size_t kTokens = 256;
constexpr size_t kMostTokenText = 64 << 10;
constexpr size_t kMaxTables = 32 << 20;  // from num_syms to token_table
constexpr uint32_t kFewestSymbols = 16, kMostSymbols = 8 << 20;
constexpr size_t kMarkerStep = 256;
// Names that are looked at in all, before the search is given up: a guest can fill memory with
// counts that each take long to refute. Two kernels' worth of the largest tables.
constexpr uint64_t kMostSteps = 2 * uint64_t{kMostSymbols};

constexpr size_t Aligned(size_t at) { return (at + 7) & ~size_t{7}; }

// A copy of what is mapped; unmapped pages are zeros, in which nothing is found.
class Image {
 public:
  Image(const AddressSpace& space, Kva begin, Kva end) : begin_(begin) {
    const uint64_t limit = std::min(kMaxImage, end - begin);
    uint64_t unmapped = 0;
    for (uint64_t at = 0; at < limit && unmapped < kMaxGap; at += kPageSize) {
      bytes_.resize(at + kPageSize);
      const bool read = space.Read(begin + at, std::span(bytes_).subspan(at)).has_value();
      if (!read) std::fill_n(bytes_.begin() + ptrdiff_t(at), kPageSize, std::byte{0});
      unmapped = read ? 0 : unmapped + kPageSize;
    }
  }

  size_t size() const { return bytes_.size(); }
  Kva at(size_t offset) const { return begin_ + offset; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  uint8_t byte(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }
  template <typename T>
  std::optional<T> Get(size_t at) const {
    if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }

 private:
  Kva begin_;
  std::vector<std::byte> bytes_;
};

struct TokenTable {
  size_t table, index;
};

// The token table in which the digits stand at `digits`.
std::optional<TokenTable> TokensAround(const Image& image, size_t digits) {
  std::array<size_t, kTokens> begin = {};
  size_t at = digits;
  for (size_t token = '0'; token < kTokens; ++token) {
    begin[token] = at;
    at = image.text().find('\0', at);
    if (at == std::string_view::npos || at - digits > kMostTokenText) return std::nullopt;
    ++at;
  }
  const size_t index = Aligned(at);
  const auto first_digit = image.Get<uint16_t>(index + '0' * sizeof(uint16_t));
  if (!first_digit || *first_digit > digits) return std::nullopt;
  const size_t table = digits - *first_digit;
  if (table % 8 != 0) return std::nullopt;
  for (size_t token = 0, string = table; token < kTokens; ++token) {
    if (image.Get<uint16_t>(index + token * sizeof(uint16_t)) != string - table) {
      return std::nullopt;
    }
    string = image.text().find('\0', string) + 1;
  }
  return TokenTable{table, index};
}

std::optional<TokenTable> FindTokens(const Image& image) {
  constexpr std::string_view kDigits("0\0001\0002\0003\0004\0005\0006\0007\0008\0009", 20);
  const std::string_view text = image.text();
  // Most of an image has no '0', which is looked for first: pages of zeros cost nearly nothing.
  for (size_t at = 0; (at = text.find(kDigits, at)) != std::string_view::npos; ++at) {
    if (auto tokens = TokensAround(image, at)) return tokens;
  }
  return std::nullopt;
}

// Whether `count` names begin at `names` and end before `limit`, and markers that agree with them
// come next. Takes the names that it looks at from `steps`, and says no when none are left.
bool HasNames(const Image& image, size_t names, uint32_t count, size_t limit, uint64_t& steps) {
  std::vector<uint32_t> marks;
  size_t at = names;
  for (uint32_t i = 0; i < count; ++i) {
    if (steps == 0) return false;
    --steps;
    if (i % kMarkerStep == 0) marks.push_back(uint32_t(at - names));
    if (at + 2 > limit) return false;
    const size_t length = KallsymsNameLength([&] { return image.byte(at++); });
    if (length == 0) return false;
    at += length;
  }
  const size_t markers = Aligned(at);
  for (size_t i = 0; i < marks.size(); ++i) {
    if (image.Get<uint32_t>(markers + i * sizeof(uint32_t)) != marks[i]) return false;
  }
  return markers + marks.size() * sizeof(uint32_t) <= limit;
}

// Where num_syms stands.
std::optional<size_t> FindCount(const Image& image, size_t token_table) {
  const size_t lowest = token_table - std::min(token_table, kMaxTables);
  uint64_t steps = kMostSteps;
  for (size_t at = token_table; at >= lowest + 8 && steps > 0;) {
    at -= 8;
    const auto count = *image.Get<uint32_t>(at);
    if (count < kFewestSymbols || count > kMostSymbols || *image.Get<uint32_t>(at + 4) != 0) {
      continue;
    }
    if (HasNames(image, at + 8, count, token_table, steps)) return at;
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<KallsymsTables>> FindKallsyms(const AddressSpace& space, Kva begin, Kva end) {
  const Image image(space, begin, end);
  const auto tokens = FindTokens(image);
  const auto count_at = tokens ? FindCount(image, tokens->table) : std::nullopt;
  if (!count_at) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("found no symbol table (kallsyms) in {} bytes of kernel image from "
                            "{:#x} on",
                            image.size(), begin.value()));
  }
  const size_t count = *image.Get<uint32_t>(*count_at);
  const KallsymsTables common = {.names = image.at(*count_at + 8),
                                 .num_syms = image.at(*count_at),
                                 .token_table = image.at(tokens->table),
                                 .token_index = image.at(tokens->index),
                                 .addresses = std::nullopt,
                                 .offsets = std::nullopt,
                                 .relative_base = std::nullopt};
  std::vector<KallsymsTables> ways;
  const size_t offsets_size = Aligned(count * sizeof(uint32_t));
  const size_t behind = tokens->index + kTokens * sizeof(uint16_t);
  if (behind + offsets_size + sizeof(uint64_t) <= image.size()) {
    KallsymsTables way = common;
    way.offsets = image.at(behind);
    ways.push_back(way);  // place-relative
    way.relative_base = image.at(behind + offsets_size);
    ways.push_back(way);
  }
  if (*count_at >= sizeof(uint64_t) + offsets_size) {
    KallsymsTables way = common;
    way.relative_base = image.at(*count_at - sizeof(uint64_t));
    way.offsets = image.at(*count_at - sizeof(uint64_t) - offsets_size);
    ways.push_back(way);
  }
  if (*count_at >= count * sizeof(uint64_t)) {
    KallsymsTables way = common;
    way.addresses = image.at(*count_at - count * sizeof(uint64_t));
    ways.push_back(way);
  }
  return ways;
}

}  // namespace ktstr
