#include "analyze/diff/table_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

namespace ktstr {

namespace {

std::string TextOf(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? "?" : *text;
}

// Copies of the two tables, with an index over what identifies a row.
Status MakeCopies(Database& both, const TableDiff& diff) {
  for (const char* schema : {"a", "b"}) {
    KTSTR_TRY(both.Execute(
        fmt::format("DROP TABLE IF EXISTS side_{0}; CREATE TABLE side_{0} AS SELECT *, {3} AS "
                    "diff_subject, {4} "
                    "AS diff_summary FROM {1}; CREATE INDEX side_{0}_identity ON side_{0} ({2})",
                    schema, fmt::format(fmt::runtime(diff.table), schema),
                    fmt::join(diff.identity, ", "), diff.subject, diff.summary)));
  }
  return {};
}

std::string SameRow(const TableDiff& diff) {
  std::string condition;
  for (const std::string& column : diff.identity) {
    condition += fmt::format("{0}a.{1} IS b.{1}", condition.empty() ? "" : " AND ", column);
  }
  return condition;
}

Status AddOnlyIn(const Database& both, const TableDiff& diff, bool appeared,
                 std::vector<Difference>& found) {
  const char *in = appeared ? "b" : "a", *not_in = appeared ? "a" : "b";
  const QueryResult rows =
      KTSTR_TRY(both.Query(fmt::format("SELECT diff_subject, diff_summary FROM side_{0} {0} WHERE "
                                       "NOT EXISTS (SELECT 1 FROM side_{1} "
                                       "{1} WHERE {2}) ORDER BY {0}.rowid",
                                       in, not_in, SameRow(diff))));
  for (const auto& row : rows.rows) {
    Difference difference{.change = appeared ? "appeared" : "gone", .subject = TextOf(row[0])};
    (appeared ? difference.after : difference.before) = row[1];
    found.push_back(std::move(difference));
  }
  return {};
}

// Rows of both sides in which a field differs: subject, then each field before and after.
Result<QueryResult> ChangedRows(const Database& both, const TableDiff& diff) {
  std::string columns, differ;
  for (const std::string& field : diff.fields) {
    columns += fmt::format(", a.{0}, b.{0}", field);
    differ += fmt::format("{0}a.{1} IS NOT b.{1}", differ.empty() ? "" : " OR ", field);
  }
  return both.Query(fmt::format(
      "SELECT b.diff_subject{} FROM side_a a JOIN side_b b ON {} WHERE {} ORDER BY b.rowid",
      columns, SameRow(diff), differ));
}

}  // namespace

Result<std::vector<Difference>> CompareTables(Database& both, const TableDiff& diff) {
  KTSTR_TRY(MakeCopies(both, diff));
  std::vector<Difference> found;
  KTSTR_TRY(AddOnlyIn(both, diff, true, found));
  KTSTR_TRY(AddOnlyIn(both, diff, false, found));
  const QueryResult changed = KTSTR_TRY(ChangedRows(both, diff));
  for (const auto& row : changed.rows) {
    for (size_t f = 0; f < diff.fields.size(); ++f) {
      const Value &before = row[1 + 2 * f], &after = row[2 + 2 * f];
      if (before == after) continue;
      found.push_back({"changed", TextOf(row[0]), diff.fields[f], before, after, {}, {}});
    }
  }
  return found;
}

Result<std::vector<Difference>> CompareCounters(Database& both, const TableDiff& diff,
                                                std::optional<int64_t> elapsed_ns) {
  KTSTR_TRY(MakeCopies(both, diff));
  const QueryResult changed = KTSTR_TRY(ChangedRows(both, diff));
  std::vector<Difference> found;
  for (size_t f = 0; f < diff.fields.size(); ++f) {
    const size_t first = found.size();
    for (const auto& row : changed.rows) {
      const auto* before = std::get_if<int64_t>(&row[1 + 2 * f]);
      const auto* after = std::get_if<int64_t>(&row[2 + 2 * f]);
      if (before == nullptr || after == nullptr || *before == *after) continue;
      Difference& moved = found.emplace_back(
          Difference{"changed", TextOf(row[0]), diff.fields[f], *before, *after, {}, {}});
      moved.delta = *after - *before;
      if (elapsed_ns.value_or(0) != 0) {
        moved.per_second =
            static_cast<double>(*moved.delta) * 1e9 / static_cast<double>(*elapsed_ns);
      }
    }
    std::stable_sort(found.begin() + static_cast<std::ptrdiff_t>(first), found.end(),
                     [](const Difference& x, const Difference& y) {
                       return std::abs(*x.delta) > std::abs(*y.delta);
                     });
  }
  return found;
}

}  // namespace ktstr
