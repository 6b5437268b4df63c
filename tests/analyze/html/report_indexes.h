// Indexes of made-up machines, as large as one likes.
#pragma once

#include "analyze/index/database.h"
#include "analyze/index/tables.h"

namespace ktstr {

// An index with these tables; all others are empty. Fails the test where that cannot be.
Database MakeIndex(Tables tables);

// `tasks` threads that wait on `cpus` CPUs or sleep, each with a stack of ten frames, of which
// there are some hundred different ones; their names are `comm` and a number. Half of those that
// wait are in one dispatch queue.
Tables CrowdedMachine(int tasks, int cpus, const std::string& comm = "worker");

}  // namespace ktstr
