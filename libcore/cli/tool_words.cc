#include "libcore/cli/tool_words.h"

#include "libcore/cli/complete.h"
#include "libcore/cli/man_page.h"

namespace ktstr {

std::optional<std::string> AnswerTool(Options& program, const std::vector<std::string>& words) {
  if (words.empty()) return std::nullopt;
  if (words[0] == "--man-page") return ManPage(program);
  if (words[0] == "--complete-words") {
    return ToLines(Complete(program, {words.begin() + 1, words.end()}));
  }
  return std::nullopt;
}

}  // namespace ktstr
