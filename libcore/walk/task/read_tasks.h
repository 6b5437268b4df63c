// ReadTasks: something of each task, read by two threads from both ends of their list where there
// are many.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "libcore/base/huge_pages.h"
#include "libcore/walk/row/walk.h"
#include "libcore/walk/task/task_list.h"
#include "libcore/walk/task/tasks_from_end.h"

namespace ktstr {

// What `read` makes of each task, in the order of ListTasks. `make_other` gives a second thread,
// out of the walk that it is to use, something to read with; null: there is no second thread. What
// that one reads must be the same as what `read` would, but for what it tells of in its walk.
// Errors: those of WalkEachTask.
template <typename Row>
Result<std::vector<Row>> ReadTasks(
    const Walk& walk, const std::function<Row(const TaskRef&)>& read,
    const std::function<std::function<Row(const TaskRef&)>(const Walk&)>& make_other) {
  // More make place for themselves.
  constexpr size_t kSomeIdleTasks = 64;
  std::vector<Row> rows;
  const auto take = [&](const TaskRef& task) { rows.push_back(read(task)); };
  if (make_other == nullptr) {
    KTSTR_TRY(WalkEachTask(walk, take));
    return rows;
  }
  std::vector<Row> others;
  TasksFromEnd from_end(walk, [&](const Walk& beside) {
    ReserveInHugePages(others, from_end.expected());
    return [&others, other = make_other(beside)](const TaskRef& task) {
      others.push_back(other(task));
    };
  });
  ReserveInHugePages(rows, from_end.expected() + kSomeIdleTasks);
  KTSTR_TRY(WalkEachTask(walk, take, &from_end));
  // Process after process, from the end of what the other thread has read.
  const std::vector<size_t>& taken = from_end.taken();
  // Where nothing was taken, that thread may still be at them.
  size_t end = std::reduce(taken.begin(), taken.end());
  for (auto tasks = taken.rbegin(); tasks != taken.rend(); ++tasks) {
    const auto first = others.begin() + ptrdiff_t(end - *tasks);
    std::move(first, first + ptrdiff_t(*tasks), std::back_inserter(rows));
    end -= *tasks;
  }
  return rows;
}

}  // namespace ktstr
