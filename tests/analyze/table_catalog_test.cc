// What the subcommands for tables show.
#include "analyze/text/table_catalog.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "analyze/index/database.h"
#include "analyze/index/tables.h"

namespace ktstr {
namespace {

// A row of the table of which nothing is known, as SQL. Empty for a view.
std::string UnknownRow(std::string_view table) {
  std::string sql;
  for (const TableInfo* info : AllTableInfos()) {
    if (info->name != table) continue;
    for (const ColumnInfo& column : info->columns) {
      sql += fmt::format("{}NULL AS \"{}\"", sql.empty() ? "SELECT " : ", ", column.name);
    }
  }
  return sql;
}

TEST(TableCatalogTest, WhatIsComputedOfTheUnknownIsUnknown) {
  const auto database = Database::InMemory();
  size_t computed = 0;
  for (const TableCommand& command : TableCommands()) {
    for (const TablePart& part : command.parts) {
      const std::string unknown = UnknownRow(part.table);
      if (unknown.empty()) continue;
      for (const NamedColumn& column : part.columns) {
        if (std::string_view(column.sql) == column.name) continue;
        const auto answer =
            database->Query(fmt::format("SELECT {} FROM ({})", column.sql, unknown));
        ASSERT_TRUE(answer) << answer.error().ToString();
        EXPECT_TRUE(std::holds_alternative<std::monostate>(answer->rows[0][0]))
            << command.name << ": " << column.name;
        ++computed;
      }
    }
  }
  EXPECT_GT(computed, 5u);
}

}  // namespace
}  // namespace ktstr
