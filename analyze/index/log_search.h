// Full-text search over the kernel log.
#pragma once

#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

// log_text, for documentation.
const TableInfo& LogSearchTable();

// Adds it to an index that has the table log; not where this SQLite has no FTS5. Errors: those of
// Database.
Status AddLogSearch(Database& index);

}  // namespace ktstr
