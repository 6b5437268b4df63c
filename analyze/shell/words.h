// The words of a line as a shell takes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// Blanks separate words; '…' and "…" hold them together. Errors: kInvalidArgument (a quote that is
// not closed).
Result<std::vector<std::string>> SplitWords(std::string_view line);

// Words side by side in as many columns as fit into `width`, read downwards; one below the other
// where that is 0.
std::string InColumns(const std::vector<std::string>& words, size_t width);

}  // namespace ktstr
