// Whether bytes are text.
#pragma once

#include <string_view>

namespace ktstr::archive {

// Valid UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

}  // namespace ktstr::archive
