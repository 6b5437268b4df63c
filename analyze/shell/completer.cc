#include "analyze/shell/completer.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "analyze/index/cells.h"
#include "analyze/text/schema.h"

namespace ktstr {

namespace {

struct Table {
  std::string name;
  std::vector<std::string> columns;
  bool is_function = false;
};

bool IsWordCharacter(char c) { return std::isalnum(static_cast<uint8_t>(c)) != 0 || c == '_'; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<uint8_t>(c)));
  return lower;
}

// Everything that stands behind FROM: tables, views, table-valued functions and their twins.
const std::vector<Table>& KnownTables() {
  static const std::vector<Table> tables = [] {
    std::vector<Table> all;
    for (const auto& row : SchemaList().rows) {
      const auto& kind = TextOf(row[0]);
      if (kind == "function") continue;
      const auto& signature = TextOf(row[1]);
      Table table{signature.substr(0, signature.find('(')), {}, kind == "table function"};
      const auto schema = SchemaOf(table.name);
      if (!schema) continue;
      for (const auto& column : schema->columns.rows) {
        table.columns.push_back(TextOf(column[0]));
      }
      all.push_back(table);
      if (!table.is_function) continue;
      table.name = "try_" + table.name;
      all.push_back(table);
    }
    return all;
  }();
  return tables;
}

const Table* FindTable(std::string_view name) {
  for (const Table& table : KnownTables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

// Names, and single characters that are no blanks.
std::vector<std::string> Tokens(std::string_view sql) {
  std::vector<std::string> tokens;
  for (size_t at = 0; at < sql.size();) {
    size_t end = at;
    while (end < sql.size() && IsWordCharacter(sql[end])) ++end;
    if (end > at) tokens.push_back(Lower(sql.substr(at, end - at)));
    if (end == at && std::isspace(static_cast<uint8_t>(sql[at])) == 0)
      tokens.emplace_back(1, sql[at]);
    at = std::max(end, at + 1);
  }
  return tokens;
}

// The tables that a statement names, by their names in it.
std::map<std::string, const Table*> TablesIn(std::string_view sql) {
  std::map<std::string, const Table*> found;
  const std::vector<std::string> tokens = Tokens(sql);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Table* table = FindTable(tokens[i]);
    if (table == nullptr) continue;
    found[tokens[i]] = table;
    size_t next = i + 1;
    if (next < tokens.size() && tokens[next] == "(") {
      for (int depth = 0; next < tokens.size(); ++next) {
        depth += tokens[next] == "(" ? 1 : tokens[next] == ")" ? -1 : 0;
        if (depth == 0) break;
      }
      ++next;
    }
    if (next < tokens.size() && tokens[next] == "as") ++next;
    if (next >= tokens.size() || !IsWordCharacter(tokens[next][0])) continue;
    const std::string& alias = tokens[next];
    if (sqlite3_keyword_check(alias.data(), static_cast<int>(alias.size())) == 0) {
      found[alias] = table;
    }
  }
  return found;
}

// Whether the word stands where only a table can: behind FROM or JOIN.
bool NamesTable(const CursorContext& context, std::string_view word) {
  const auto tokens = Tokens(fmt::format(
      "{}\n{}", context.statement, context.before.substr(0, context.before.size() - word.size())));
  return !tokens.empty() && (tokens.back() == "from" || tokens.back() == "join");
}

std::vector<std::string> Keywords() {
  std::vector<std::string> keywords;
  for (int i = 0; i < sqlite3_keyword_count(); ++i) {
    const char* name = nullptr;
    int size = 0;
    if (sqlite3_keyword_name(i, &name, &size) == SQLITE_OK) {
      keywords.emplace_back(name, static_cast<size_t>(size));
    }
  }
  return keywords;
}

// Of SQLite itself and ours, each with its "(".
std::vector<std::string> Functions(sqlite3* db) {
  std::vector<std::string> functions;
  const auto add = [](void* all, int, char** cells, char**) {
    const std::string_view name(cells[0] == nullptr ? "" : cells[0]);
    if (std::all_of(name.begin(), name.end(), IsWordCharacter)) {
      static_cast<std::vector<std::string>*>(all)->push_back(std::string(name) + "(");
    }
    return 0;
  };
  // Without completion of functions the rest still works.
  sqlite3_exec(db, "SELECT DISTINCT name FROM pragma_function_list", add, &functions, nullptr);
  return functions;
}

void KeepThoseThatBeginWith(std::string_view typed, std::vector<std::string>& words) {
  const std::string begin = Lower(typed);
  std::erase_if(words, [&](const std::string& word) { return !Lower(word).starts_with(begin); });
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

void Append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

}  // namespace

std::string CommonPrefix(const std::vector<std::string>& words) {
  if (words.empty()) return "";
  std::string prefix = words[0];
  for (const std::string& word : words) {
    size_t same = 0;
    while (same < prefix.size() && same < word.size() &&
           Lower(prefix.substr(same, 1)) == Lower(word.substr(same, 1))) {
      ++same;
    }
    prefix.resize(same);
  }
  return prefix;
}

Completer::Completer(const Database& index, std::vector<std::string> commands, Types types)
    : commands_(std::move(commands)),
      keywords_(Keywords()),
      functions_(Functions(index.handle())),
      types_(std::move(types)) {}

std::vector<std::string> Completer::CommandWords(std::string_view line, size_t word_begin) const {
  if (word_begin == 0) return commands_;
  const std::string_view command = line.substr(0, line.find(' '));
  if (command == ".mode") return {"csv", "json", "line", "table"};
  if (command == ".help") return commands_;
  if (command == ".print") {
    const bool first =
        line.substr(0, word_begin).find_first_not_of(' ', command.size()) == std::string_view::npos;
    return first && types_ ? types_() : std::vector<std::string>();
  }
  if (command != ".schema" && command != ".tables") return {};
  std::vector<std::string> names;
  for (const Table& table : KnownTables()) names.push_back(table.name);
  return names;
}

std::vector<std::string> Completer::SqlWords(const CursorContext& context,
                                             std::string_view word) const {
  const auto tables = TablesIn(
      fmt::format("{}\n{}{}", context.statement,
                  context.before.substr(0, context.before.size() - word.size()), context.after));
  if (const size_t dot = word.rfind('.'); dot != std::string_view::npos) {
    const std::string name = Lower(word.substr(0, dot));
    const auto named = tables.find(name);
    const Table* table = named != tables.end() ? named->second : FindTable(name);
    return table == nullptr ? std::vector<std::string>() : table->columns;
  }
  std::vector<std::string> words;
  if (NamesTable(context, word)) {
    for (const Table& table : KnownTables()) {
      words.push_back(table.is_function ? table.name + "(" : table.name);
    }
    return words;
  }
  for (const auto& [name, table] : tables) Append(words, table->columns);
  if (word.empty()) {
    for (const Table& table : KnownTables()) {
      if (tables.empty()) words.push_back(table.name);
    }
    return words;
  }
  for (const Table& table : KnownTables()) {
    words.push_back(table.is_function ? table.name + "(" : table.name);
    if (tables.empty()) Append(words, table.columns);
  }
  Append(words, functions_);
  const bool is_lower = std::none_of(
      word.begin(), word.end(), [](char c) { return std::isupper(static_cast<uint8_t>(c)) != 0; });
  for (const std::string& keyword : keywords_) {
    words.push_back(is_lower ? Lower(keyword) : keyword);
  }
  return words;
}

Completions Completer::Complete(const CursorContext& context) const {
  const std::string_view line = context.before;
  const bool is_command = context.statement.empty() && line.starts_with('.');
  size_t begin = line.size();
  while (begin > 0 && (IsWordCharacter(line[begin - 1]) || line[begin - 1] == '.' ||
                       (is_command && line[begin - 1] != ' '))) {
    --begin;
  }
  std::string_view word = line.substr(begin);
  Completions completions;
  completions.words = is_command ? CommandWords(line, begin) : SqlWords(context, word);
  if (!is_command) word.remove_prefix(word.rfind('.') + 1);
  KeepThoseThatBeginWith(word, completions.words);
  completions.typed = word.size();
  return completions;
}

}  // namespace ktstr
