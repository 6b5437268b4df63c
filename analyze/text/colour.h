// Colours for people who look at a terminal.
#pragma once

#include <string>
#include <string_view>

namespace ktstr {

// Whether standard output is a terminal that shows colours, and NO_COLOR (no-color.org) does not
// ask for none.
bool ColoursAreWanted();

// "error" in red, "warning" in yellow, "info" in cyan; any other text as it is.
std::string InColourOfSeverity(std::string_view severity);

}  // namespace ktstr
