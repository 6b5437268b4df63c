// Prose on a terminal: it wraps between words, and nothing of it is cut.
#pragma once

#include <string>
#include <string_view>

namespace ktstr {

// `text` in lines of at most `width` columns, each line behind the first indented by `indent` more
// spaces. A word that is wider than a line stands on one of its own, whole. Ends without a newline.
// width 0: one line.
std::string Wrapped(std::string_view text, size_t width, size_t indent);

}  // namespace ktstr
