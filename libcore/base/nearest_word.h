// What somebody who mistyped a word may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// The one of `words` with the smallest edit distance to `word` (the first of several); "" when
// there are none.
std::string NearestWord(std::string_view word, std::span<const std::string_view> words);

// "unknown WHAT 'word'; did you mean 'nearest'?", or with all words where none is near and they are
// few enough to be read.
std::string UnknownWord(std::string_view what, std::string_view word,
                        std::span<const std::string_view> words);

}  // namespace ktstr
