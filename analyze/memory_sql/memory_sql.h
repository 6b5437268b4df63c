// SQL over the frozen memory: functions and table-valued functions on a connection.
//
// Each has a twin with "try_" before its name: where the one ends the query with an error when
// memory cannot be read, the other gives NULL (a table-valued one: what was found) and adds a row
// to the table query_anomaly. What is wrong with the query itself is an error either way.
#pragma once

#include <memory>

#include "analyze/index/database.h"
#include "analyze/memory_sql/function.h"
#include "analyze/memory_sql/query_anomalies.h"

namespace ktstr {

// All functions, as they are documented; without their twins.
const std::vector<ScalarFunction>& MemoryFunctions();
const std::vector<TableFunction>& MemoryTableFunctions();

// Makes them available to the connection's queries. `memory` and `anomalies` must outlive it.
// Errors: kIo.
Status AddMemorySql(Database& database, MemorySource& memory, QueryAnomalies& anomalies);

}  // namespace ktstr
