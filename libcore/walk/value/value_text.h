// Typed memory as a debugger prints it: nested and indented.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "libcore/walk/value/typed_value.h"

namespace ktstr {

struct ValueTextOptions {
  // The name of what an address points to, where it has one; shown behind pointers.
  std::function<std::optional<std::string>(Kva)> symbolize;
  // Knows what some values mean, whose facts stand in their place; null: nothing.
  SpecialFields* special = nullptr;
  size_t max_elements = 64;   // of an array; what is left out is told
  size_t max_lines = 20'000;  // the text ends there, and says so
};

// A value of any type, members of structures on lines of their own, equal neighbours in an array
// once with their count. What cannot be read is told in its place, with the reason. Safe to show
// on a terminal; ends with a newline.
std::string ValueText(const GuestKernel& kernel, const TypeInfo& types, const TypedPlace& place,
                      const ValueTextOptions& options);

}  // namespace ktstr
