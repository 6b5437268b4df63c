#include "analyze/text/wrap.h"

#include "libcore/base/safe_text.h"

namespace ktstr {

std::string Wrapped(std::string_view text, size_t width, size_t indent) {
  if (width == 0) return std::string(text);
  std::string wrapped;
  size_t column = 0;
  bool begins = true;  // whether the next word is a line's first
  // Of spaces in a row, as at the begin of an indented line, all but the last belong to the word.
  while (!text.empty()) {
    const size_t begin = text.find_first_not_of(' ');
    const size_t end = begin == text.npos ? text.npos : text.find(' ', begin);
    const std::string_view word = text.substr(0, end);
    const size_t columns = DisplayWidth(word);
    if (!begins && column + 1 + columns > width) {
      wrapped += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!begins) {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += columns;
    begins = false;
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return wrapped;
}

}  // namespace ktstr
