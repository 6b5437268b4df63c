// How deep and how long a JSON text is, told before it is parsed: a parsed document takes many
// times the memory of its text, and is copied and printed by functions that call themselves.
#pragma once

#include <cstddef>
#include <string_view>

namespace ktstr {

struct JsonShape {
  int depth = 0;      // objects and arrays in each other
  size_t tokens = 0;  // objects, arrays, commas and colons
};

// Deeper than any message of QEMU's, libvirt's or ours, and far from the end of a stack.
inline constexpr int kMaxJsonDepth = 256;

// Whether `text` keeps within `limits`. Of a text that is no JSON it says nothing.
bool KeepsWithin(const JsonShape& limits, std::string_view text);
// The same of the depth alone.
inline bool IsTooDeep(std::string_view text) {
  return !KeepsWithin({.depth = kMaxJsonDepth, .tokens = text.size()}, text);
}

}  // namespace ktstr
