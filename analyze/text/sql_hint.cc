#include "analyze/text/sql_hint.h"

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/cells.h"
#include "analyze/text/schema.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

// SQLite's words before a name, and what kinds of the schema's could be meant.
struct Unknown {
  std::string_view message;
  bool tables, columns, functions;
};
constexpr Unknown kUnknown[] = {{"no such table: ", true, false, false},
                                {"no such column: ", false, true, false},
                                {"no such function: ", false, false, true}};

bool IsWordCharacter(char c) { return std::isalnum(static_cast<uint8_t>(c)) != 0 || c == '_'; }

bool HasWord(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWordCharacter(text[at - 1])) &&
        (end == text.size() || !IsWordCharacter(text[end]))) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> Candidates(const Unknown& unknown, std::string_view sql) {
  std::vector<std::string> names;
  for (const auto& row : SchemaList().rows) {
    const auto& kind = TextOf(row[0]);
    const auto& signature = TextOf(row[1]);
    const std::string name = signature.substr(0, signature.find('('));
    const bool is_function = kind == "function";
    if (is_function ? unknown.functions : unknown.tables) names.push_back(name);
    if (is_function || !unknown.columns || !HasWord(sql, name)) continue;
    const auto schema = SchemaOf(name);
    if (!schema) continue;
    for (const auto& column : schema->columns.rows) {
      names.push_back(TextOf(column[0]));
    }
  }
  return names;
}

}  // namespace

Error WithNearestName(Error error, std::string_view sql) {
  const std::string& message = error.message();
  for (const Unknown& unknown : kUnknown) {
    if (!message.starts_with(unknown.message)) continue;
    std::string_view name = std::string_view(message).substr(unknown.message.size());
    name = name.substr(0, name.find(' '));
    // A column's table is another question.
    name.remove_prefix(name.rfind('.') + 1);
    const std::vector<std::string> names = Candidates(unknown, sql);
    const std::string text =
        UnknownWord("", name, std::vector<std::string_view>(names.begin(), names.end()));
    const size_t hint = text.find("; did you mean");
    if (hint != std::string::npos) return Error(error.code(), message + text.substr(hint));
  }
  return error;
}

}  // namespace ktstr
