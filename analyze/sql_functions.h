// Functions of ours that queries can use.
#pragma once

struct sqlite3;

namespace ktstr {

// cpu_in_list(LIST, CPU): 1 when a CPU is in a list such as "0-3,8", else 0; NULL when either is.
void AddSqlFunctions(sqlite3* db);

}  // namespace ktstr
