// A TableFunction as a table-valued function of a SQLite connection.
#pragma once

#include "analyze/memory_sql/function.h"
#include "analyze/memory_sql/on_error.h"

struct sqlite3;

namespace ktstr {

// By its own name, or with kNote as "try_" and its name. The last two arguments must outlive the
// connection. Errors: kIo.
Status BindTable(sqlite3* db, TableFunction function, OnError on_error, MemorySource& memory,
                 QueryAnomalies& anomalies);

// query_anomaly, a table without parameters: what is in `anomalies` when it is read.
TableFunction QueryAnomalyTable(QueryAnomalies& anomalies);

}  // namespace ktstr
