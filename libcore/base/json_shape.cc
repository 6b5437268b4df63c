#include "libcore/base/json_shape.h"

namespace ktstr {

bool KeepsWithin(const JsonShape& limits, std::string_view text) {
  int depth = 0;
  size_t tokens = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == '{' || c == '[' || c == ',' || c == ':') ++tokens;
    if (depth > limits.depth || tokens > limits.tokens) return false;
  }
  return true;
}

}  // namespace ktstr
