#include "analyze/memory_sql/memory_sql.h"

#include "analyze/memory_sql/functions.h"
#include "analyze/memory_sql/scalar_binding.h"
#include "analyze/memory_sql/table_binding.h"

namespace ktstr {

namespace {

std::vector<ScalarFunction> AllFunctions() {
  std::vector<ScalarFunction> all;
  for (auto* family : {ReadFunctions, TypeFunctions, SymbolFunctions}) {
    for (ScalarFunction& function : family()) all.push_back(std::move(function));
  }
  return all;
}

}  // namespace

const std::vector<ScalarFunction>& MemoryFunctions() {
  static const std::vector<ScalarFunction> functions = AllFunctions();
  return functions;
}

const std::vector<TableFunction>& MemoryTableFunctions() {
  static const std::vector<TableFunction> functions = TableFunctions();
  return functions;
}

Status AddMemorySql(Database& database, MemorySource& memory, QueryAnomalies& anomalies) {
  sqlite3* db = database.handle();
  memory.StopBy(&database.stop());
  for (const OnError on_error : {OnError::kFail, OnError::kNote}) {
    for (const ScalarFunction& function : MemoryFunctions()) {
      KTSTR_TRY(BindScalar(db, function, on_error, memory, anomalies));
    }
    for (const TableFunction& function : MemoryTableFunctions()) {
      KTSTR_TRY(BindTable(db, function, on_error, memory, anomalies));
    }
  }
  return BindTable(db, QueryAnomalyTable(anomalies), OnError::kFail, memory, anomalies);
}

}  // namespace ktstr
