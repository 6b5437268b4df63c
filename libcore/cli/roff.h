// Text as roff(7) reads it, so that every character comes out as it is.
#pragma once

#include <string>
#include <string_view>

namespace ktstr {

// A piece of a line: for use within a line, or as a macro's argument in double quotes.
std::string RoffEscape(std::string_view text);

// Whole lines: none of them is taken for a request. Each ends with a newline.
std::string RoffLines(std::string_view text);

// Text as it is written in help: paragraphs that roff fills, between them lines that are indented,
// as they are. It begins in the place where it is put, without a space above.
std::string RoffText(std::string_view text);

}  // namespace ktstr
