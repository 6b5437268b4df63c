// Bytes as text: whether they are, and where text may be cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ktstr {

// Valid UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

struct CodePoint {
  uint32_t value = 0;
  size_t size = 0;  // of its sequence, in bytes
};

// What `text` begins with; nothing where that is no valid UTF-8, or there is no text.
std::optional<CodePoint> FirstCodePoint(std::string_view text);

// The longest begin of `text` of at most `max` bytes that ends between two characters. Of bytes
// that are no UTF-8 it may be shorter than it could be, by at most three bytes.
std::string_view CutAtCharacter(std::string_view text, size_t max);

}  // namespace ktstr
