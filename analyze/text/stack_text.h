// Stacks as people read them.
#pragma once

#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// The stacks of the tasks for which `condition` (SQL over the columns of task, "t", and
// stack_frame, "f") holds: a heading each, then a line per frame, the innermost first. Empty when
// there are none. Errors: those of Database::Query.
Result<std::string> StackText(const Database& index, const std::string& condition);

}  // namespace ktstr
