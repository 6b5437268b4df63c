// Cells to and from SQLite's own values.
#pragma once

#include "libcore/walk/row/row.h"

struct sqlite3_context;
struct sqlite3_value;

namespace ktstr {

// Text and BLOBs as they are.
Value FromSqlite(sqlite3_value* value);
void SetResult(sqlite3_context* context, const Value& value);
// Text as a BLOB.
void SetBlobResult(sqlite3_context* context, const Value& value);

}  // namespace ktstr
