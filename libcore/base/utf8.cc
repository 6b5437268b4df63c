#include "libcore/base/utf8.h"

namespace ktstr {

namespace {

// The length of the sequence that begins with `first`, and the lowest code point that needs it; 0
// when none begins so.
struct Lead {
  size_t length;
  uint32_t lowest;
  uint32_t bits;
};

Lead LeadOf(uint8_t first) {
  if (first < 0x80) return {1, 0, first};
  if ((first & 0xe0) == 0xc0) return {2, 0x80, first & 0x1fu};
  if ((first & 0xf0) == 0xe0) return {3, 0x800, first & 0x0fu};
  if ((first & 0xf8) == 0xf0) return {4, 0x10000, first & 0x07u};
  return {0, 0, 0};
}

}  // namespace

std::optional<CodePoint> FirstCodePoint(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const Lead lead = LeadOf(static_cast<uint8_t>(text[0]));
  if (lead.length == 0 || lead.length > text.size()) return std::nullopt;
  uint32_t value = lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    const uint8_t next = static_cast<uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return std::nullopt;
    value = value << 6 | (next & 0x3f);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < lead.lowest || surrogate || value > 0x10ffff) return std::nullopt;
  return CodePoint{value, lead.length};
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = FirstCodePoint(text);
    if (!first) return false;
    text.remove_prefix(first->size);
  }
  return true;
}

std::string_view CutAtCharacter(std::string_view text, size_t max) {
  if (text.size() <= max) return text;
  // A sequence has at most three bytes after its first: further back no lead can be cut off.
  size_t end = max;
  while (end > 0 && max - end < 3 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace ktstr
