#include "analyze/memory_sql/table_binding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <algorithm>

#include "analyze/memory_sql/scalar_binding.h"
#include "analyze/memory_sql/sqlite_value.h"

namespace ktstr {

namespace {

struct BoundTable {
  TableFunction function;
  OnError on_error;
  MemorySource& memory;
  QueryAnomalies& anomalies;

  std::string name() const {
    return fmt::format("{}{}", on_error == OnError::kNote ? "try_" : "", function.name);
  }
};

struct Table : sqlite3_vtab {
  const BoundTable* bound;
};

struct Cursor : sqlite3_vtab_cursor {
  const BoundTable* bound;
  FunctionRows found;
  std::vector<Value> arguments;
  size_t at = 0;
};

int Report(sqlite3_vtab* table, const std::string& message) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", message.c_str());
  return SQLITE_ERROR;
}

int Connect(sqlite3* db, void* bound, int, const char* const*, sqlite3_vtab** out, char** error) {
  const auto* self = static_cast<const BoundTable*>(bound);
  std::string columns;
  for (const ColumnInfo& column : self->function.columns) {
    columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column.name);
  }
  for (size_t i = 0; i < self->function.parameters.size(); ++i) {
    // Quoted by its number: a parameter may have a column's name.
    columns += fmt::format(", \"argument{}\" HIDDEN", i + 1);
  }
  const int code = sqlite3_declare_vtab(db, fmt::format("CREATE TABLE x({})", columns).c_str());
  if (code != SQLITE_OK) {
    *error = sqlite3_mprintf("%s: %s", self->name().c_str(), sqlite3_errmsg(db));
    return code;
  }
  *out = new Table{{}, self};
  return SQLITE_OK;
}

int Disconnect(sqlite3_vtab* table) {
  delete static_cast<Table*>(table);
  return SQLITE_OK;
}

// Every parameter must be given; each is then handed to Filter, in order.
int BestIndex(sqlite3_vtab* table, sqlite3_index_info* info) {
  const TableFunction& function = static_cast<Table*>(table)->bound->function;
  const int first = static_cast<int>(function.columns.size());
  std::vector<bool> given(function.parameters.size());
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    if (constraint.iColumn < first || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    // Another order of the join may have the value by then.
    if (constraint.usable == 0) return SQLITE_CONSTRAINT;
    const auto parameter = static_cast<size_t>(constraint.iColumn - first);
    if (given[parameter]) continue;
    given[parameter] = true;
    info->aConstraintUsage[i].argvIndex = static_cast<int>(parameter) + 1;
    info->aConstraintUsage[i].omit = 1;
  }
  if (std::find(given.begin(), given.end(), false) != given.end()) {
    return Report(table, fmt::format("{} takes {} arguments: {}({})", function.name,
                                     function.parameters.size(), function.name,
                                     fmt::join(function.parameters, ", ")));
  }
  info->estimatedCost = 1000;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** out) {
  auto* cursor = new Cursor{};
  cursor->bound = static_cast<Table*>(table)->bound;
  *out = cursor;
  return SQLITE_OK;
}

int Close(sqlite3_vtab_cursor* cursor) {
  delete static_cast<Cursor*>(cursor);
  return SQLITE_OK;
}

// Of damage the first thing ends the query; its twin notes all and goes on with what was found.
int TakeRows(Cursor& cursor, Result<FunctionRows> found) {
  const BoundTable& bound = *cursor.bound;
  const auto call = [&] { return CallText(bound.name(), cursor.arguments); };
  if (!found) {
    if (NoteError(bound.on_error, call(), found.error(), bound.anomalies)) return SQLITE_OK;
    return Report(cursor.pVtab, fmt::format("{}: {}", call(), found.error().ToString()));
  }
  if (!found->anomalies.empty() && bound.on_error == OnError::kFail) {
    const AnomalyRow& first = found->anomalies.front();
    return Report(cursor.pVtab,
                  fmt::format("{}: {}{}: {}; try_{} gives what was found", call(), first.kind,
                              first.address ? " at " + ToText(*first.address) : "", first.detail,
                              bound.function.name));
  }
  bound.anomalies.Add(std::move(found->anomalies));
  cursor.found.rows = std::move(found->rows);
  return SQLITE_OK;
}

int Filter(sqlite3_vtab_cursor* raw, int, const char*, int count, sqlite3_value** values) {
  auto& cursor = *static_cast<Cursor*>(raw);
  cursor.found = {};
  cursor.arguments.clear();
  cursor.at = 0;
  for (int i = 0; i < count; ++i) {
    cursor.arguments.push_back(FromSqlite(values[i]));
    if (std::holds_alternative<std::monostate>(cursor.arguments.back())) return SQLITE_OK;
  }
  MemorySource& memory = cursor.bound->memory;
  auto found = cursor.bound->function.call(memory, cursor.arguments);
  // What was found up to there is no answer.
  if (memory.stop() != nullptr && memory.stop()->IsWanted()) return SQLITE_INTERRUPT;
  return TakeRows(cursor, std::move(found));
}

int Next(sqlite3_vtab_cursor* cursor) {
  ++static_cast<Cursor*>(cursor)->at;
  return SQLITE_OK;
}

int Eof(sqlite3_vtab_cursor* raw) {
  const auto& cursor = *static_cast<const Cursor*>(raw);
  return cursor.at >= cursor.found.rows.size() ? 1 : 0;
}

int Column(sqlite3_vtab_cursor* raw, sqlite3_context* context, int column) {
  const auto& cursor = *static_cast<const Cursor*>(raw);
  const auto index = static_cast<size_t>(column);
  const size_t columns = cursor.bound->function.columns.size();
  if (index < columns) {
    SetResult(context, cursor.found.rows[cursor.at][index]);
  } else if (index - columns < cursor.arguments.size()) {
    SetResult(context, cursor.arguments[index - columns]);
  }
  return SQLITE_OK;
}

int RowId(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = static_cast<sqlite3_int64>(static_cast<const Cursor*>(cursor)->at);
  return SQLITE_OK;
}

// Without xCreate the table exists in every connection and cannot be made; without xUpdate it is
// read-only.
constexpr sqlite3_module kModule = {
    .iVersion = 0,
    .xConnect = Connect,
    .xBestIndex = BestIndex,
    .xDisconnect = Disconnect,
    .xDestroy = Disconnect,
    .xOpen = Open,
    .xClose = Close,
    .xFilter = Filter,
    .xNext = Next,
    .xEof = Eof,
    .xColumn = Column,
    .xRowid = RowId,
};

}  // namespace

Status BindTable(sqlite3* db, TableFunction function, OnError on_error, MemorySource& memory,
                 QueryAnomalies& anomalies) {
  auto* bound = new BoundTable{std::move(function), on_error, memory, anomalies};
  const std::string name = bound->name();
  // SQLite deletes it, also when this fails.
  if (sqlite3_create_module_v2(db, name.c_str(), &kModule, bound,
                               [](void* p) { delete static_cast<BoundTable*>(p); }) != SQLITE_OK) {
    return Fail(ErrorCode::kIo, fmt::format("adding {} to SQLite: {}", name, sqlite3_errmsg(db)));
  }
  return {};
}

TableFunction QueryAnomalyTable(QueryAnomalies& anomalies) {
  TableFunction table;
  table.name = "query_anomaly";
  table.meaning = "What try_ functions could not read so far; the last part of a UNION ALL.";
  table.columns = AnomalyRow::Table().info.columns;
  table.call = [&anomalies](MemorySource&, SqlArguments) -> Result<FunctionRows> {
    const RowSet<AnomalyRow> rows(anomalies.rows());
    FunctionRows found;
    for (size_t row = 0; row < rows.row_count(); ++row) {
      auto& cells = found.rows.emplace_back();
      for (size_t c = 0; c < rows.info().columns.size(); ++c) cells.push_back(rows.Cell(row, c));
    }
    return found;
  };
  return table;
}

}  // namespace ktstr
