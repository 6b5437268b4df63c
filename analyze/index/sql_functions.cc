#include "analyze/index/sql_functions.h"

#include <sqlite3.h>

#include <charconv>
#include <string_view>

namespace ktstr {

namespace {

// The number at the begin of `text`, which is then shorter; -1 where there is none.
int64_t TakeNumber(std::string_view& text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return -1;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool IsInList(std::string_view list, int64_t cpu) {
  while (!list.empty()) {
    const int64_t first = TakeNumber(list);
    int64_t last = first;
    if (list.starts_with('-')) {
      list.remove_prefix(1);
      last = TakeNumber(list);
    }
    if (first < 0 || last < 0) return false;
    if (first <= cpu && cpu <= last) return true;
    if (list.starts_with(',')) list.remove_prefix(1);
  }
  return false;
}

void CpuInList(sqlite3_context* context, int, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
      sqlite3_value_type(values[1]) == SQLITE_NULL) {
    return sqlite3_result_null(context);
  }
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  const std::string_view list(text == nullptr ? "" : text);
  sqlite3_result_int(context, IsInList(list, sqlite3_value_int64(values[1])) ? 1 : 0);
}

}  // namespace

void AddSqlFunctions(sqlite3* db) {
  sqlite3_create_function_v2(db, "cpu_in_list", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                             CpuInList, nullptr, nullptr, nullptr);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace ktstr
