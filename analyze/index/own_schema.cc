#include "analyze/index/own_schema.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "analyze/index/log_search.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"

namespace ktstr {

namespace {

// What SQLite keeps of a statement: without comments before it and the end behind it.
std::string_view AsKept(std::string_view text) {
  text.remove_prefix(std::min(text.find("CREATE "), text.size()));
  const size_t end = text.find_last_not_of("; \n");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

const std::set<std::string>& OurStatements() {
  static const std::set<std::string> statements = [] {
    std::set<std::string> all = {kIndexKeyTable, kLogSearchStatement};
    for (const TableIndex& index : kTableIndexes) all.insert(index.statement);
    for (const TableInfo* info : AllTableInfos()) all.insert(CreateTableSql(*info));
    for (const View& view : Views()) all.emplace(AsKept(view.text));
    return all;
  }();
  return statements;
}

// The tables in which full-text search keeps its own (FTS5, section 9): SQLite declares them, each
// version as it likes, but computes nothing in them.
bool IsOfLogSearch(std::string_view type, std::string_view name, std::string_view sql) {
  return type == "table" && name.starts_with("log_text_") &&
         sql.find(" AS ") == std::string_view::npos && sql.find("AS(") == std::string_view::npos &&
         sql.starts_with("CREATE TABLE 'log_text_");
}

}  // namespace

bool HasOurSchema(const Database& database) {
  const auto parts = database.Query("SELECT type, name, sql FROM sqlite_schema");
  if (!parts || parts->rows.empty()) return false;
  return std::ranges::all_of(parts->rows, [](const std::vector<Value>& row) {
    const auto* type = std::get_if<std::string>(&row[0]);
    const auto* name = std::get_if<std::string>(&row[1]);
    const auto* sql = std::get_if<std::string>(&row[2]);
    // An index that belongs to a table's key has no statement.
    if (type == nullptr || name == nullptr) return false;
    if (sql == nullptr) return *type == "index";
    return OurStatements().contains(*sql) || IsOfLogSearch(*type, *name, *sql);
  });
}

}  // namespace ktstr
