// StackHead: what unwinding a task's stack takes out of its task_struct, so that one look at that
// does for the list of tasks and for their stacks.
#pragma once

#include <optional>

#include "libcore/walk/members/task.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

struct StackHead {
  TaskRef task;
  // Whether all of the following could be read. If not, who walks the stack reads what it takes,
  // and tells what is wrong.
  bool known = false;
  StackFrameRow common;  // the columns that are copies
  std::optional<Kva> stack, saved_sp;
  std::optional<int64_t> users;
  std::optional<uint64_t> state, exit_state;
};

struct TaskStackMembers : Fields {
  explicit TaskStackMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember state = Need(task_member::kState), exit_state = Need(task_member::kExitState),
              stack = Need(task_member::kStack), saved_sp = Need("thread.sp"),
              stack_refcount = Maybe("stack_refcount.refs.counter", "stack_refcount.counter");
};

// What is known of a task already, else what stands in it.
class TaskCells {
 public:
  TaskCells(const Walk& walk, const StackHead& head, const TaskStackMembers& members)
      : cells_(walk, head.task.task, "a task"), head_(head), members_(members) {}

  CellReader& cells() { return cells_; }
  std::optional<Kva> Stack() { return head_.known ? head_.stack : cells_.Pointer(members_.stack); }
  std::optional<Kva> SavedSp() {
    return head_.known ? head_.saved_sp : cells_.Pointer(members_.saved_sp);
  }
  std::optional<int64_t> Users() {
    return head_.known ? head_.users : cells_.Integer(members_.stack_refcount);
  }
  std::optional<uint64_t> State() {
    return head_.known ? head_.state : cells_.Unsigned(members_.state);
  }
  std::optional<uint64_t> ExitState() {
    return head_.known ? head_.exit_state : cells_.Unsigned(members_.exit_state);
  }

 private:
  CellReader cells_;
  const StackHead& head_;
  const TaskStackMembers& members_;
};

class StackHeadReader {
 public:
  // Nothing is told of anywhere.
  explicit StackHeadReader(const Walk& walk) : walk_(walk.NotingIn(ignored_)) {}
  StackHeadReader(const StackHeadReader&) = delete;
  StackHead Read(const TaskRef& ref) const;

 private:
  mutable Anomalies ignored_{""};
  Walk walk_;
  RowReader<StackFrameRow> columns_{walk_};
  TaskStackMembers members_{walk_};
};

}  // namespace ktstr
