// Database: SQLite behind Result. Knows nothing of archives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/reading_only.h"
#include "libcore/base/result.h"
#include "libcore/base/stop.h"
#include "libcore/walk/row/columns_wanted.h"
#include "libcore/walk/row/row.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ktstr {

// What a query gave. BLOBs are text, in hexadecimal digits.
struct QueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;
  bool has_more = false;  // whether max_rows left some out
  // By column: whether it is one of a table of ours whose text is JSON (unit "JSON"), by whatever
  // name. May be shorter than columns: the others are not.
  std::vector<bool> holds_json = {};
};

// The statement that declares a table of ours.
std::string CreateTableSql(const TableInfo& info);

struct QueryLimits {
  double timeout_s = 0;           // 0: none
  size_t max_rows = SIZE_MAX;     // the first ones
  size_t max_bytes = 1ull << 30;  // of all cells together
};

// Used by one thread at a time; another one may take over once this one has let go.
class Database {
 public:
  enum class Mode { kReadOnly, kCreate };

  static Result<Database> Open(const std::string& path, Mode mode);
  static Result<Database> InMemory();

  // Runs one or more statements that give no rows. Errors: kIo, with SQLite's message.
  Status Execute(const std::string& sql);
  // Runs one statement that may only read. Errors: kInvalidArgument (wrong SQL, with the place; a
  // statement that would write; more than one statement; a result of more than max_bytes),
  // kTimeout, kInterrupted, kIo.
  Result<QueryResult> Query(const std::string& sql, const QueryLimits& limits = {}) const;
  // The same row by row, for results that need not be in memory as a whole: first `take_head` with
  // the columns and no rows, then `take_row` with each row. What either of them fails with ends the
  // query; true when max_rows left some out. Errors: theirs too.
  using TakeHead = std::function<Status(const QueryResult& head)>;
  using TakeRow = std::function<Status(std::vector<Value>&& row)>;
  Result<bool> QueryEach(const std::string& sql, const QueryLimits& limits,
                         const TakeHead& take_head, const TakeRow& take_row) const;
  // Makes the table and fills it. Errors: kIo.
  Status AddTable(const TableData& table);
  // Adds rows to a table that is there; columns that are not wanted are NULL. Errors: kIo.
  Status FillTable(const TableData& table, const ColumnsWanted& wanted = {});
  // Writes the whole database to a file, replacing what is there. Errors: kIo.
  Status CopyTo(const std::string& path) const;
  // Notes that rows may be missing from a table, or values from its rows.
  void MarkIncomplete(const std::string& table) { tables_->incomplete.insert(table); }
  const std::set<std::string>& incomplete() const { return tables_->incomplete; }
  // Those that were read, also behind views, by queries since this was last asked.
  std::set<std::string> TakeIncompleteRead() const;
  // What one statement would read. Empty for wrong SQL.
  ColumnsRead ReadIn(const std::string& sql) const;
  // Those of them that are incomplete.
  std::set<std::string> IncompleteIn(const std::string& sql) const;

  // From now on a query of this connection ends with kInterrupted as soon as `flag` is true. The
  // flag must outlive the queries.
  void InterruptBy(const std::atomic<bool>* flag) { interrupt_ = flag; }
  // Says whether the running query is to end, because of its timeout or the flag. SQL functions of
  // ours that run for long ask it again and again. The reference stays valid while this object
  // lives, also after the object was moved.
  const Stop& stop() const { return *stop_; }
  // SQLite's own connection, for what is added to it. Valid while this object is.
  sqlite3* handle() const { return db_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* db) const;
  };
  struct TablesSeen {
    std::set<std::string> incomplete;
    ColumnsRead read;
  };
  explicit Database(sqlite3* db)
      : db_(db), stop_(std::make_unique<Stop>()), tables_(std::make_unique<TablesSeen>()) {}
  Error LastError(std::string_view doing) const;
  Result<bool> TakeRows(sqlite3_stmt* statement, const QueryLimits& limits,
                        const TakeHead& take_head, const TakeRow& take_row) const;
  Error WhyEnded(int code, const QueryLimits& limits) const;

  std::unique_ptr<sqlite3, Closer> db_;
  std::unique_ptr<Stop> stop_;
  std::unique_ptr<TablesSeen> tables_;
  const std::atomic<bool>* interrupt_ = nullptr;
};

}  // namespace ktstr
