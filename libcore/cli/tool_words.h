// Words that programs answer to tools, not to people, and that are in no help:
//
//   PROGRAM --man-page                  the manual page, for the build (man_page.h)
//   PROGRAM --complete-words WORD...    what the last word may be, for shells (complete.h)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/cli/options.h"

namespace ktstr {

// The answer, where the first of the words behind the program's name is one of them.
std::optional<std::string> AnswerTool(Options& program, const std::vector<std::string>& words);

}  // namespace ktstr
