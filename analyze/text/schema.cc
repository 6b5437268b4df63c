#include "analyze/text/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/index/log_search.h"
#include "analyze/index/sql_functions.h"
#include "analyze/index/tables.h"
#include "analyze/memory_sql/memory_sql.h"
#include "analyze/views/views.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

std::vector<const TableInfo*> TableInfos() {
  std::vector<const TableInfo*> tables = AllTableInfos();
  tables.push_back(&LogSearchTable());
  return tables;
}

// "read_string(addr[, max])".
template <typename Function>
std::string Signature(const Function& function, size_t optional) {
  std::string text(function.name);
  text += '(';
  const size_t needed = function.parameters.size() - optional;
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    text += fmt::format("{}{}{}{}", i >= needed ? "[" : "", i == 0 ? "" : ", ",
                        function.parameters[i], i >= needed ? "]" : "");
  }
  return text + ")";
}

std::string_view TypeName(ColumnType type) {
  switch (type) {
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kReal:
      return "real";
    case ColumnType::kText:
      return "text";
  }
  return "";
}

QueryResult ColumnRows(const std::vector<ColumnInfo>& columns) {
  QueryResult result{{"column", "type", "unit", "meaning"}, {}};
  for (const ColumnInfo& column : columns) {
    result.rows.push_back({std::string(column.name), std::string(TypeName(column.type)),
                           column.unit.empty() ? Value() : Value(std::string(column.unit)),
                           std::string(column.meaning)});
  }
  return result;
}

QueryResult ViewRows(const View& view) {
  QueryResult result{{"column", "unit", "meaning"}, {}};
  for (const ViewColumn& column : view.columns) {
    const std::string unit(UnitOf(column.name));
    result.rows.push_back({column.name, unit.empty() ? Value() : Value(unit), column.meaning});
  }
  return result;
}

std::string Heading(std::string_view name, std::string_view meaning) {
  return fmt::format("{}: {}", name, meaning);
}

}  // namespace

QueryResult SchemaList() {
  QueryResult result{{"kind", "name", "meaning"}, {}};
  const auto add = [&](const char* kind, std::string name, std::string_view meaning) {
    result.rows.push_back({std::string(kind), std::move(name), std::string(meaning)});
  };
  for (const TableInfo* table : TableInfos()) {
    add("table", std::string(table->name), table->meaning);
  }
  for (const View& view : Views()) add("view", std::string(view.name), view.meaning);
  for (const TableFunction& function : MemoryTableFunctions()) {
    add("table function", Signature(function, 0), function.meaning);
  }
  for (const ScalarFunction& function : MemoryFunctions()) {
    add("function", Signature(function, function.optional), function.meaning);
  }
  for (const SqlFunctionInfo& function : kSqlFunctions) {
    add("function", std::string(function.signature), function.meaning);
  }
  return result;
}

Result<Schema> SchemaOf(const std::string& name) {
  // A twin is described where its model is.
  const std::string own = name.starts_with("try_") ? name.substr(4) : name;
  std::vector<std::string_view> names;
  for (const TableInfo* table : TableInfos()) {
    if (table->name == own) {
      return Schema{Heading(own, table->meaning), ColumnRows(table->columns)};
    }
    names.push_back(table->name);
  }
  for (const View& view : Views()) {
    if (view.name == own) return Schema{Heading(own, view.meaning), ViewRows(view)};
    names.push_back(view.name);
  }
  for (const TableFunction& function : MemoryTableFunctions()) {
    if (function.name == own) {
      return Schema{Heading(Signature(function, 0), function.meaning),
                    ColumnRows(function.columns)};
    }
    names.push_back(function.name);
  }
  for (const ScalarFunction& function : MemoryFunctions()) {
    if (function.name == own) {
      return Schema{Heading(Signature(function, function.optional), function.meaning), {}};
    }
    names.push_back(function.name);
  }
  for (const SqlFunctionInfo& function : kSqlFunctions) {
    if (own == function.name) return Schema{Heading(function.signature, function.meaning), {}};
    names.push_back(function.name);
  }
  return Fail(ErrorCode::kInvalidArgument, UnknownWord("table, view or function", name, names));
}

}  // namespace ktstr
