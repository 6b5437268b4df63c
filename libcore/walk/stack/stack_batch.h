// StackBatch: the stacks of some tasks, as one of several threads has walked them, and how batches
// become the rows that one thread would have given.
#pragma once

#include <cstddef>
#include <vector>

#include "libcore/walk/row/walk.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

// An anomaly that a task's stack led to.
struct NotedOfStack {
  AnomalyRow row;
  bool once;  // it is of a table that other stacks need too: every thread comes upon it, one tells

  void AddTo(Anomalies& anomalies) const;
};

// Tasks one after the other.
struct StackBatch {
  struct Task {
    Kva task;
    size_t rows_end, noted_end;  // behind its last in `rows` and `noted`
  };
  std::vector<StackFrameRow> rows;
  std::vector<NotedOfStack> noted;
  std::vector<Task> tasks;
};

class StackCollector {
 public:
  // Anomalies go where `walk` has them, rows are counted by its meter; it must outlive this object.
  explicit StackCollector(const Walk& walk) : walk_(walk) {}

  void Reserve(size_t rows) { rows_.reserve(rows); }
  // Takes what a batch has; batches come in the order of their tasks. False, with an anomaly "cap",
  // where there are as many rows as there may be.
  bool Add(StackBatch batch);
  std::vector<StackFrameRow> Take() && { return std::move(rows_); }

 private:
  void Tell(const NotedOfStack& noted);

  const Walk& walk_;
  std::vector<StackFrameRow> rows_;
  std::vector<AnomalyRow> told_;  // those that are told once
};

}  // namespace ktstr
