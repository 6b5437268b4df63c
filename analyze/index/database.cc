#include "analyze/index/database.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "analyze/index/reading_only.h"
#include "analyze/index/sql_functions.h"
#include "libcore/base/temporary_file.h"
#include "libcore/base/utf8.h"

namespace ktstr {

namespace {

using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

// Lets `stop` end what the connection runs. SQLite asks between its own steps; functions of ours
// that take long ask themselves.
class StoppedBy {
 public:
  StoppedBy(sqlite3* db, Stop& stop, const Stop& until) : db_(db), stop_(stop) {
    stop_ = until;
    constexpr int kInstructionsBetweenChecks = 10000;
    sqlite3_progress_handler(
        db_, kInstructionsBetweenChecks,
        [](void* self) { return static_cast<const Stop*>(self)->IsWanted() ? 1 : 0; }, &stop_);
  }
  ~StoppedBy() {
    sqlite3_progress_handler(db_, 0, nullptr, nullptr);
    stop_ = Stop();
  }

 private:
  sqlite3* db_;
  Stop& stop_;
};

std::optional<Stop::Clock::time_point> After(double seconds) {
  constexpr double kAsGoodAsNever = 1e9;  // beyond it the clock's own numbers would end
  if (!(seconds > 0) || seconds > kAsGoodAsNever) return std::nullopt;
  return Stop::Clock::now() +
         std::chrono::duration_cast<Stop::Clock::duration>(std::chrono::duration<double>(seconds));
}

std::string HexOf(sqlite3_stmt* statement, int column) {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return fmt::format("{:02x}", fmt::join(std::span(bytes, size), ""));
}

size_t SizeOf(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return sizeof value + (text == nullptr ? 0 : text->size());
}

Value CellOf(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_NULL:
      return {};
    case SQLITE_BLOB:
      return HexOf(statement, column);
    default: {
      const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return std::string(text == nullptr ? "" : text,
                         static_cast<size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

// `value` must outlive the statement's step.
int Bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *integer);
  }
  if (const auto* real = std::get_if<double>(&value))
    return sqlite3_bind_double(statement, index, *real);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text(statement, index, text->data(), static_cast<int>(text->size()),
                             SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

// Errors of SQLite's that are no fault of the query.
bool IsOfTheFile(int code) {
  switch (code & 0xff) {  // without what extended codes add
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return true;
    default:
      return false;
  }
}

// Text to SQLite, since its rules look for that word.
constexpr std::string_view kJsonType = "TEXT JSON";

std::string_view SqlType(const ColumnInfo& column) {
  if (column.unit == "JSON") return kJsonType;
  switch (column.type) {
    case ColumnType::kInteger:
      return "INTEGER";
    case ColumnType::kReal:
      return "REAL";
    case ColumnType::kText:
      return "TEXT";
  }
  return "";
}

// Where in the query SQLite stumbled, for its message: characters count from 1, in their line.
std::string PlaceIn(const std::string& sql, int offset) {
  constexpr size_t kShown = 40;
  if (offset < 0 || static_cast<size_t>(offset) >= sql.size()) return "";
  const std::string_view before = std::string_view(sql).substr(0, static_cast<size_t>(offset));
  const std::string_view rest = std::string_view(sql).substr(static_cast<size_t>(offset), kShown);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  const auto characters =
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return fmt::format(" ({}character {}: {})",
                     lines == 0 ? "" : fmt::format("its line {}, ", lines + 1), characters + 1,
                     CutAtCharacter(rest.substr(0, rest.find('\n')), kShown));
}

std::set<std::string> Both(const std::set<std::string>& tables, const ColumnsRead& read) {
  std::set<std::string> both;
  for (const std::string& table : tables) {
    if (read.contains(table)) both.insert(table);
  }
  return both;
}

}  // namespace

void Database::Closer::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Error Database::LastError(std::string_view doing) const {
  return Error(ErrorCode::kIo, fmt::format("{}: {}", doing, sqlite3_errmsg(db_.get())));
}

Result<Database> Database::Open(const std::string& path, Mode mode) {
  // Nobody asks SQLite how much memory it has, and counting takes a lock of the whole process for
  // each allocation. Refused, and not needed, where the program has used SQLite before.
  [[maybe_unused]] static const int not_counted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* raw = nullptr;
  // A connection has one thread at a time, and needs no lock of its own for each call.
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return Fail(database.LastError(fmt::format("opening {}", path)));
  // An index is never written to where it stands, but replaced: one lock holds for all queries, and
  // each does not look anew for a journal that somebody else might have left.
  if (mode == Mode::kReadOnly) {
    sqlite3_exec(raw, "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr);
  }
  AddSqlFunctions(raw);
  // Of one text or BLOB that a query makes, in bytes: building one asks nobody whether to go on.
  constexpr int kMaxCell = 128 << 20;
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, kMaxCell);
  return database;
}

Result<Database> Database::InMemory() { return Open(":memory:", Mode::kCreate); }

Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Fail(LastError("running SQL of ours"));
  }
  return {};
}

Error Database::WhyEnded(int code, const QueryLimits& limits) const {
  if (IsOfTheFile(code)) return LastError("reading the index");
  if (code != SQLITE_INTERRUPT) {
    return Error(ErrorCode::kInvalidArgument, sqlite3_errmsg(db_.get()));
  }
  if (stop_->reason() == Stop::Reason::kInterrupt) {
    return Error(ErrorCode::kInterrupted, "the query was interrupted");
  }
  return Error(ErrorCode::kTimeout,
               fmt::format("the query took longer than {} s", limits.timeout_s));
}

Result<bool> Database::TakeRows(sqlite3_stmt* statement, const QueryLimits& limits,
                                const TakeHead& take_head, const TakeRow& take_row) const {
  QueryResult head;
  const int columns = sqlite3_column_count(statement);
  for (int c = 0; c < columns; ++c) {
    head.columns.emplace_back(sqlite3_column_name(statement, c));
    const char* type = sqlite3_column_decltype(statement, c);
    head.holds_json.push_back(type != nullptr && std::string_view(type) == kJsonType);
  }
  KTSTR_TRY(take_head(head));
  size_t rows = 0;
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    if (rows >= limits.max_rows) return true;
    ++rows;
    std::vector<Value> row;
    row.reserve(static_cast<size_t>(columns));
    for (int c = 0; c < columns; ++c) row.push_back(CellOf(statement, c));
    KTSTR_TRY(take_row(std::move(row)));
  }
  if (step != SQLITE_DONE) return Fail(WhyEnded(step, limits));
  return false;
}

Result<QueryResult> Database::Query(const std::string& sql, const QueryLimits& limits) const {
  QueryResult result;
  size_t size = 0;
  const auto take_head = [&](const QueryResult& head) -> Status {
    result = head;
    return {};
  };
  const auto take_row = [&](std::vector<Value>&& row) -> Status {
    for (const Value& cell : row) size += SizeOf(cell);
    result.rows.push_back(std::move(row));
    if (size <= limits.max_bytes) return {};
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the result is larger than {} MiB ({} rows so far); ask for less",
                            limits.max_bytes >> 20, result.rows.size()));
  };
  result.has_more = KTSTR_TRY(QueryEach(sql, limits, take_head, take_row));
  return result;
}

Result<bool> Database::QueryEach(const std::string& sql, const QueryLimits& limits,
                                 const TakeHead& take_head, const TakeRow& take_row) const {
  sqlite3* db = db_.get();
  // Until the end, not only while preparing: VACUUM asks for its ATTACH when it runs.
  const ReadingOnly reading_only(db, &tables_->read);
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int prepared =
      sqlite3_prepare_v2(db, sql.c_str(), static_cast<int>(sql.size()), &raw, &tail);
  const Statement statement(raw, sqlite3_finalize);
  if (prepared == SQLITE_AUTH || (raw != nullptr && sqlite3_stmt_readonly(raw) == 0)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the query would change something; only reading is allowed");
  }
  if (IsOfTheFile(prepared)) return Fail(LastError("reading the index"));
  if (prepared != SQLITE_OK) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}{}", sqlite3_errmsg(db), PlaceIn(sql, sqlite3_error_offset(db))));
  }
  if (raw == nullptr) return Fail(ErrorCode::kInvalidArgument, "the query is empty");
  if (std::string_view(tail).find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("only one statement at a time; a second one begins with: {}",
                            std::string_view(tail).substr(0, 40)));
  }
  const StoppedBy stopped_by(db, *stop_, Stop(interrupt_, After(limits.timeout_s)));
  return TakeRows(raw, limits, take_head, take_row);
}

std::set<std::string> Database::TakeIncompleteRead() const {
  return Both(tables_->incomplete, std::exchange(tables_->read, {}));
}

std::set<std::string> Database::IncompleteIn(const std::string& sql) const {
  return tables_->incomplete.empty() ? std::set<std::string>()
                                     : Both(tables_->incomplete, ReadIn(sql));
}

ColumnsRead Database::ReadIn(const std::string& sql) const {
  ColumnsRead read;
  const ReadingOnly reading_only(db_.get(), &read);
  sqlite3_stmt* raw = nullptr;
  std::ignore =
      sqlite3_prepare_v2(db_.get(), sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr);
  sqlite3_finalize(raw);
  return read;
}

std::string CreateTableSql(const TableInfo& info) {
  // Put together by hand: each question has an index's thousand columns compared with these.
  std::string sql = "CREATE TABLE \"";
  sql.append(info.name).append("\" (");
  const char* separator = "";
  for (const ColumnInfo& column : info.columns) {
    sql.append(separator).append("\"").append(column.name).append("\" ").append(SqlType(column));
    separator = ", ";
  }
  return sql + ")";
}

Status Database::AddTable(const TableData& table) {
  KTSTR_TRY(Execute(CreateTableSql(table.info())));
  return FillTable(table);
}

Status Database::FillTable(const TableData& table, const ColumnsWanted& wanted) {
  const TableInfo& info = table.info();
  std::string marks;
  std::vector<size_t> columns;
  for (size_t c = 0; c < info.columns.size(); ++c) {
    const bool is_wanted = wanted.Contains(info.columns[c].name);
    if (is_wanted) columns.push_back(c);
    marks += fmt::format("{}{}", marks.empty() ? "" : ",", is_wanted ? "?" : "NULL");
  }
  sqlite3_stmt* raw = nullptr;
  const std::string insert = fmt::format("INSERT INTO \"{}\" VALUES ({})", info.name, marks);
  if (sqlite3_prepare_v2(db_.get(), insert.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return Fail(LastError(insert));
  }
  const Statement statement(raw, sqlite3_finalize);
  std::vector<Value> cells(columns.size());
  for (size_t row = 0; row < table.row_count(); ++row) {
    for (size_t c = 0; c < cells.size(); ++c) {
      cells[c] = table.Cell(row, columns[c]);
      if (Bind(raw, static_cast<int>(c) + 1, cells[c]) != SQLITE_OK) {
        return Fail(LastError(insert));
      }
    }
    if (sqlite3_step(raw) != SQLITE_DONE) return Fail(LastError(insert));
    sqlite3_reset(raw);
  }
  return {};
}

Status Database::CopyTo(const std::string& path) const {
  TemporaryFile temporary = KTSTR_TRY(TemporaryFile::Beside(path));
  {
    Database copy = KTSTR_TRY(Open(temporary.path(), Mode::kCreate));
    // A journal would be a file beside it, of a name that nobody looks after.
    KTSTR_TRY(copy.Execute("PRAGMA journal_mode=OFF"));
    // Page by page: a VACUUM would number rows anew, by which full-text search finds them.
    sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", handle(), "main");
    if (backup == nullptr) return Fail(copy.LastError("writing " + path));
    sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) != SQLITE_OK) {
      return Fail(copy.LastError("writing " + path));
    }
    // The seal of an index, which this is none of.
    KTSTR_TRY(copy.Execute("PRAGMA application_id = 0; PRAGMA user_version = 0"));
  }
  return temporary.Keep();
}

}  // namespace ktstr
