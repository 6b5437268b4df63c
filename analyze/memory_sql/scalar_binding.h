// A ScalarFunction as a function of a SQLite connection.
#pragma once

#include "analyze/memory_sql/function.h"
#include "analyze/memory_sql/on_error.h"

struct sqlite3;

namespace ktstr {

// By its own name, or with kNote as "try_" and its name. All arguments must outlive the connection.
// Errors: kIo.
Status BindScalar(sqlite3* db, const ScalarFunction& function, OnError on_error,
                  MemorySource& memory, QueryAnomalies& anomalies);

// "read_u64('0xffff…')", for messages.
std::string CallText(std::string_view name, SqlArguments arguments);

}  // namespace ktstr
