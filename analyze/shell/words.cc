#include "analyze/shell/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace ktstr {

Result<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        words.back() += c;
      }
      continue;
    }
    if (c == ' ' || c == '\t') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\'' || c == '"') {
      quote = c;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("a {} is not closed", quote));
  }
  return words;
}

std::string InColumns(const std::vector<std::string>& words, size_t width) {
  constexpr size_t kGap = 2;
  size_t widest = 0;
  for (const std::string& word : words) widest = std::max(widest, word.size());
  const size_t columns = std::max<size_t>(1, (width + kGap) / (widest + kGap));
  const size_t rows = (words.size() + columns - 1) / columns;
  std::string text;
  for (size_t row = 0; row < rows; ++row) {
    std::string line;
    for (size_t i = row; i < words.size(); i += rows) {
      line += fmt::format("{:<{}}", words[i], widest + kGap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace ktstr
