#include "libcore/walk/stack/stack_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace ktstr {

void NotedOfStack::AddTo(Anomalies& anomalies) const {
  const auto address = row.address ? std::optional(Kva(row.address->value)) : std::nullopt;
  anomalies.Add(row.kind, address, row.detail);
}

bool StackCollector::Add(StackBatch batch) {
  size_t rows = 0, noted = 0;
  bool goes_on = true;
  for (size_t i = 0; i < batch.tasks.size() && goes_on; ++i) {
    const StackBatch::Task& task = batch.tasks[i];
    for (; noted < task.noted_end; ++noted) Tell(batch.noted[noted]);
    goes_on = walk_.meter->Take(task.rows_end - std::exchange(rows, task.rows_end));
    if (goes_on) continue;
    walk_.anomalies.Add("cap", task.task,
                        fmt::format("stopped after {} frames", rows_.size() + rows));
  }
  std::move(batch.rows.begin(), batch.rows.begin() + static_cast<ptrdiff_t>(rows),
            std::back_inserter(rows_));
  return goes_on;
}

void StackCollector::Tell(const NotedOfStack& noted) {
  if (noted.once && std::ranges::find(told_, noted.row) != told_.end()) return;
  if (noted.once) told_.push_back(noted.row);
  noted.AddTo(walk_.anomalies);
}

}  // namespace ktstr
