// Full-text search over the kernel log.
#pragma once

#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

// log_text, for documentation.
const TableInfo& LogSearchTable();

inline constexpr char kLogSearchStatement[] =
    "CREATE VIRTUAL TABLE log_text USING fts5(seq UNINDEXED, time_ns UNINDEXED, level UNINDEXED, "
    "text, content='log')";

// Adds it to an index that has the table log; not where this SQLite has no FTS5. Errors: those of
// Database.
Status AddLogSearch(Database& index);
// Once rows were added to log. Errors: kIo.
Status RebuildLogSearch(Database& index);

}  // namespace ktstr
