// Text from the guest, made safe to show: names and log lines can hold anything.
#pragma once

#include <string>
#include <string_view>

namespace ktstr {

// Valid UTF-8 without control characters: those become \x1b and the like (a newline \n, a tab \t),
// and so do bytes that are not UTF-8. No text can move the cursor of a terminal or change its
// colours.
std::string SafeText(std::string_view text);

// How many columns a terminal needs for SafeText's result (one per code point).
size_t DisplayWidth(std::string_view safe);

// The first `columns` columns, with "…" as the last one when something was cut off.
std::string CutTo(std::string_view safe, size_t columns);

}  // namespace ktstr
