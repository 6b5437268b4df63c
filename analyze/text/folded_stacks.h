// Every stack of a machine, those that are alike once.
#pragma once

#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// For people: of each different stack, how many tasks are in it and who they are (the first ones),
// then a line per frame, without addresses, the innermost first. What runs comes first, then what
// most tasks are in. Errors: those of Database::Query.
Result<std::string> FoldedStackText(const Database& index);
// The same as an array of {"tasks": [{"pid", "comm", "state", "cpu"}, …], "running", "frames":
// [TEXT, …], "end": TEXT}, with every task.
Result<std::string> FoldedStackJson(const Database& index);

}  // namespace ktstr
