// Stacks folded: each different stack once, with the tasks that are in it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "analyze/index/database.h"
#include "analyze/text/shared_texts.h"
#include "libcore/base/result.h"

namespace ktstr {

struct StackGroup {
  std::vector<size_t> frames;  // numbers of shared texts, innermost first
  std::string end;             // how it ends
  bool running = false;        // on a CPU
  std::vector<size_t> tasks;   // numbers of tasks, ascending
};

struct StackGroups {
  // Those that run first, then by how many tasks are in them.
  std::vector<StackGroup> groups;
  // The group of each task; tasks without a stack are not in it.
  std::unordered_map<size_t, size_t> of_task;
};

// Groups the stacks of `index`. A task's number is that of its row in `tasks`, whose column
// `kva_column` is task_kva; stacks of others are left out. Errors: those of Database::Query.
Result<StackGroups> GroupStacks(const Database& index, const QueryResult& tasks, size_t kva_column,
                                SharedTexts& texts);

}  // namespace ktstr
