#include "libcore/base/utf8.h"

#include <cstdint>

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

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Lead lead = LeadOf(static_cast<uint8_t>(text[at]));
    if (lead.length == 0 || lead.length > text.size() - at) return false;
    uint32_t code_point = lead.bits;
    for (size_t i = 1; i < lead.length; ++i) {
      const uint8_t next = static_cast<uint8_t>(text[at + i]);
      if ((next & 0xc0) != 0x80) return false;
      code_point = code_point << 6 | (next & 0x3f);
    }
    const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < lead.lowest || surrogate || code_point > 0x10ffff) return false;
    at += lead.length;
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
