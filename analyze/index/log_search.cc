#include "analyze/index/log_search.h"

namespace ktstr {

const TableInfo& LogSearchTable() {
  static const TableInfo table = {
      "log_text",
      "The kernel log for full-text search: WHERE log_text MATCH 'oops OR panic'.",
      {{"seq", ColumnType::kInteger, "", "Number of the record, as in log."},
       {"time_ns", ColumnType::kInteger, "ns", "As in log."},
       {"level", ColumnType::kInteger, "", "As in log."},
       {"text", ColumnType::kText, "", "The message: what is searched."}}};
  return table;
}

namespace {

Result<bool> CanSearch(const Database& index) {
  const QueryResult has = KTSTR_TRY(index.Query("SELECT sqlite_compileoption_used('ENABLE_FTS5')"));
  return has.rows[0][0] == Value(int64_t{1});
}

}  // namespace

Status AddLogSearch(Database& index) {
  if (!KTSTR_TRY(CanSearch(index))) return {};
  // The texts stay in log: this holds the words and where they are.
  KTSTR_TRY(index.Execute(kLogSearchStatement));
  return RebuildLogSearch(index);
}

Status RebuildLogSearch(Database& index) {
  if (!KTSTR_TRY(CanSearch(index))) return {};
  return index.Execute("INSERT INTO log_text(log_text) VALUES ('rebuild')");
}

}  // namespace ktstr
