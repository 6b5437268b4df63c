#include "analyze/index/sql_words.h"

#include <cctype>
#include <cstdint>
#include <utility>

namespace ktstr {

std::set<std::string, std::less<>> SqlWords(std::string_view sql) {
  std::set<std::string, std::less<>> words;
  std::string word;
  for (size_t at = 0; at <= sql.size(); ++at) {
    const char c = at < sql.size() ? sql[at] : ' ';
    if (std::isalnum(static_cast<uint8_t>(c)) != 0 || c == '_') {
      word += static_cast<char>(std::tolower(static_cast<uint8_t>(c)));
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  return words;
}

}  // namespace ktstr
