#include "libcore/base/safe_text.h"

#include <fmt/format.h>

#include <cstdint>

namespace ktstr {

namespace {

// The length of the well-formed UTF-8 sequence at the front (Unicode, table 3-7), 0 when there is
// none.
size_t SequenceLength(std::string_view text, uint32_t& code_point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  code_point = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code_point = (code_point << 6) | (byte(i) & 0x3f);
  }
  const bool overlong =
      (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  return overlong || surrogate || code_point > 0x10ffff ? 0 : length;
}

// Control characters of C0 and C1, and those that reorder or hide what stands around them.
bool IsDangerous(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

}  // namespace

std::string SafeText(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    uint32_t c = 0;
    const size_t length = SequenceLength(text, c);
    if (length == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<uint8_t>(text.front()));
    } else if (c == '\n') {
      safe += "\\n";
    } else if (c == '\t') {
      safe += "\\t";
    } else if (IsDangerous(c)) {
      safe += c < 0x100 ? fmt::format("\\x{:02x}", c) : fmt::format("\\u{:04x}", c);
    } else {
      safe += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return safe;
}

size_t DisplayWidth(std::string_view safe) {
  size_t width = 0;
  for (const char c : safe) width += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
  return width;
}

std::string CutTo(std::string_view safe, size_t columns) {
  if (DisplayWidth(safe) <= columns) return std::string(safe);
  if (columns == 0) return "";
  size_t width = 0, at = 0;
  for (; at < safe.size(); ++at) {
    if ((static_cast<uint8_t>(safe[at]) & 0xc0) == 0x80) continue;
    if (width + 1 == columns) break;
    ++width;
  }
  return std::string(safe.substr(0, at)) + "…";
}

}  // namespace ktstr
