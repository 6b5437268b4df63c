// Which tables of two indexes differ, and in what.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "analyze/index/database.h"
#include "analyze/index/index.h"
#include "analyze/text/output.h"

namespace ktstr {

// The rows of a query as text, sorted: "column=value|…", without those columns.
inline std::vector<std::string> RowTexts(const Database& index, const std::string& sql,
                                         const std::set<std::string>& without) {
  std::vector<std::string> texts;
  const auto rows = index.Query(sql, {.max_rows = 1'000'000});
  if (!rows) return {"error: " + rows.error().ToString()};
  for (const auto& row : rows->rows) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      if (without.contains(rows->columns[i])) continue;
      text += fmt::format("{}={}|", rows->columns[i], ToDisplay(row[i], "NULL"));
    }
    texts.push_back(std::move(text));
  }
  std::ranges::sort(texts);
  return texts;
}

// By table, the first row that only one of them has. `ignored` are keys of the table machine and
// columns of other tables ("vcpu.lstar"), or whole tables.
inline std::map<std::string, std::string> IndexDifferences(const Database& a, const Database& b,
                                                           const std::set<std::string>& ignored) {
  std::map<std::string, std::string> differences;
  const auto tables = a.Query("SELECT name FROM sqlite_master WHERE type = 'table'");
  if (!tables) return {{"sqlite_master", tables.error().ToString()}};
  for (const auto& table : tables->rows) {
    const std::string name = ToDisplay(table[0]);
    if (ignored.contains(name)) continue;
    std::string sql = fmt::format("SELECT * FROM \"{}\"", name);
    std::set<std::string> without;
    for (const std::string& what : ignored) {
      if (name == "machine")
        sql += fmt::format("{} key != '{}'", sql.ends_with('"') ? " WHERE" : " AND", what);
      if (what.starts_with(name + ".")) without.insert(what.substr(name.size() + 1));
    }
    const auto rows_a = RowTexts(a, sql, without), rows_b = RowTexts(b, sql, without);
    std::vector<std::string> only;
    std::ranges::set_symmetric_difference(rows_a, rows_b, std::back_inserter(only));
    if (!only.empty()) {
      differences[name] = fmt::format("{} and {} rows, {} of one alone: {}", rows_a.size(),
                                      rows_b.size(), only.size(), only.front());
    }
  }
  return differences;
}

// What an import says of itself, and an archive's file.
inline const std::set<std::string> kOfTheArchive = {"index_key", "digest", "parent_digest",
                                                    "archive_bytes", "tag"};

}  // namespace ktstr
