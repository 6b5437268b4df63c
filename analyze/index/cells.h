// Cells of an index as what they should be. SQLite lets any cell hold any type, and an index file
// can be anybody's: what is of another type is empty or 0, never an exception.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace ktstr
