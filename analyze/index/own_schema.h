// What an index is made of, as SQL, and whether a database is made of that and nothing else.
#pragma once

#include <string>

#include "analyze/index/database.h"

namespace ktstr {

// The key of an index: which archive and which program it is of.
inline constexpr char kIndexKeyTable[] = "CREATE TABLE index_key (digest TEXT, schema TEXT)";
// What makes tables fast to ask.
struct TableIndex {
  const char* table;
  const char* statement;
};
inline constexpr TableIndex kTableIndexes[] = {
    {"task", "CREATE INDEX task_by_pid ON task (pid)"},
    {"task", "CREATE INDEX task_by_kva ON task (task_kva)"},
    {"stack_frame", "CREATE INDEX stack_frame_by_task ON stack_frame (task_kva, depth)"}};

// An index file can be anybody's: one that has a view in the place of a table, a trigger or a
// computed column would run what it says. Looks at the declarations only. (That the rows are those
// of the archive nobody can tell but by making them again.)
bool HasOurSchema(const Database& database);

}  // namespace ktstr
