// Cells of an index as what they should be. SQLite lets any cell hold any type, and an index file
// can be anybody's: what is of another type is empty or 0, never an exception.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/walk/row/row.h"

namespace ktstr {

inline const std::string& TextOf(const Value& value) {
  static const std::string empty;
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? empty : *text;
}

inline int64_t IntegerOf(const Value& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  return integer == nullptr ? 0 : *integer;
}

// The number of a text "0x…", as columns have addresses and ids; nothing for any other text.
inline std::optional<uint64_t> HexNumberOf(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  uint64_t number = 0;
  const char* all = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), all, number, 16);
  return error == std::errc() && end == all ? std::optional(number) : std::nullopt;
}

}  // namespace ktstr
