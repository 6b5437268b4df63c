// Text by lines.
#pragma once

#include <string_view>
#include <vector>

namespace ktstr {

// The lines without their ends, in place; none follows a newline at the end of the text.
std::vector<std::string_view> LinesOf(std::string_view text);

}  // namespace ktstr
