#include "libcore/cli/roff.h"

#include <fmt/format.h>

#include <vector>

#include "libcore/base/utf8.h"

namespace ktstr {

namespace {

// How roff writes a character of which the plain one means something else, or would be shown as a
// typographic sign that cannot be copied into a shell. Empty: the character stands for itself.
std::string_view RoffName(char c) {
  switch (c) {
    case '\\':
      return "\\(rs";
    case '-':
      return "\\-";
    case '\'':
      return "\\(aq";
    case '`':
      return "\\(ga";
    case '^':
      return "\\(ha";
    case '~':
      return "\\(ti";
    case '"':
      return "\\(dq";
    default:
      return {};
  }
}

std::vector<std::string_view> LinesOfText(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(' ') == line.npos; }

}  // namespace

std::string RoffEscape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    if (static_cast<unsigned char>(text[0]) >= 0x80) {
      // What is no UTF-8 is a question mark.
      const auto first = FirstCodePoint(text);
      escaped += first ? fmt::format("\\[u{:04X}]", first->value) : "?";
      text.remove_prefix(first ? first->size : 1);
      continue;
    }
    const std::string_view name = RoffName(text[0]);
    escaped += name.empty() ? text.substr(0, 1) : name;
    text.remove_prefix(1);
  }
  return escaped;
}

std::string RoffLines(std::string_view text) {
  std::string lines;
  for (const std::string_view line : LinesOfText(text)) {
    // A line with a dot before it is a request.
    if (line.starts_with('.')) lines += "\\&";
    lines += RoffEscape(line) + "\n";
  }
  return lines;
}

std::string RoffText(std::string_view text) {
  std::string roff;
  bool verbatim = false, gap = false;
  for (const std::string_view line : LinesOfText(text)) {
    const bool blank = IsBlank(line);
    if (verbatim && !blank && !line.starts_with("  ")) {
      roff += ".EE\n.RE\n";
      verbatim = false;
    }
    if (blank) {
      gap = !roff.empty();
    } else if (line.starts_with("  ")) {
      if (gap && verbatim) roff += ".sp\n";
      if (!verbatim) roff += ".PP\n.RS 4\n.EX\n";
      verbatim = true;
      gap = false;
      roff += RoffLines(line.substr(2));
    } else {
      if (gap) roff += ".PP\n";
      gap = false;
      roff += RoffLines(line);
    }
  }
  if (verbatim) roff += ".EE\n.RE\n";
  return roff;
}

}  // namespace ktstr
