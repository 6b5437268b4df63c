#include "libcore/walk/stack/stack_end.h"

#include <array>

namespace ktstr {

std::string_view StackEndName(StackEnd end) {
  constexpr std::array<std::string_view, 14> kNames = {
      "user mode",    "end of stack", "never ran", "freed",      "not started",
      "no registers", "replaced",     "no rule",   "unreadable", "off stack",
      "not text",     "no table",     "loop",      "cap"};
  return kNames[static_cast<size_t>(end)];
}

bool IsWhole(StackEnd end) { return end <= StackEnd::kNotStarted; }

}  // namespace ktstr
