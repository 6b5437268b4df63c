// The parts of a comparison that are tables of the index.
#pragma once

#include <vector>

#include "analyze/diff/difference.h"
#include "analyze/diff/relation.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// Every part but memory. Of one run a task is the same by pid and start time, a queue by its
// address, a map by its id; of different runs by what has a meaning beyond one: tasks by name, as
// many as there are; CPUs, maps and built-in queues by number or name; counters not at all. Errors:
// those of Database.
Result<std::vector<Difference>> ComparePart(Database& both, DiffPart part,
                                            const Relation& relation);

}  // namespace ktstr
