#include "libcore/walk/row/row.h"

namespace ktstr {

std::string ToText(Hex hex) {
  // Large tables are full of them: a general formatter took a twentieth of an index's time.
  std::string text = "0x0000000000000000";
  uint64_t rest = hex.value;
  for (size_t at = text.size(); rest != 0; rest >>= 4) text[--at] = "0123456789abcdef"[rest & 15];
  return text;
}

}  // namespace ktstr
