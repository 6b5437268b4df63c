// Text by lines.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// The lines without their ends, in place; none follows a newline at the end of the text.
std::vector<std::string_view> LinesOf(std::string_view text);
// Of a text that is gone when they are looked at.
template <std::same_as<std::string> Gone>
std::vector<std::string_view> LinesOf(Gone&& text) = delete;

}  // namespace ktstr
