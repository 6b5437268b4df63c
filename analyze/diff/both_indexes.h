// Two indexes in one database, for queries that look at both.
#pragma once

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// A database in memory in which `before` is the schema "a" and `after` is "b". Errors: kIo.
Result<Database> BothIndexes(const Database& before, const Database& after);

}  // namespace ktstr
