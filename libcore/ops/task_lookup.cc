#include "ktstr/ops/task_lookup.h"

#include <fmt/format.h>

#include "ktstr/kernel/object_reader.h"
#include "ktstr/ops/member_cache.h"

namespace ktstr {

namespace {

constexpr OpLayer kLayer = OpLayer::kTaskLookup;

class TaskSearch {
 public:
  TaskSearch(const GuestKernel& kernel, const TaskListLayout& layout, uint32_t pid)
      : kernel_(kernel), layout_(layout), pid_(pid), head_(layout.init_task + layout.tasks) {}

  OpResult<Kva> Run() {
    Kva node = KTSTR_TRY(FirstLeader());
    while (node != head_) {
      KTSTR_TRY(Visit());
      const Kva leader = node - layout_.tasks;
      ObjectReader task(kernel_, leader);
      const auto pid = task.ReadAt<uint32_t>(layout_.pid);
      if (!pid) return LeaderUnreadable(leader, pid.error());
      if (*pid == pid_) return leader;
      const auto next = task.ReadAt<Kva>(layout_.tasks);
      const Kva thread = KTSTR_TRY(SearchThreads(task));
      if (!thread.is_null()) return thread;
      if (!next) return LeaderUnreadable(leader, next.error());
      if (next->is_null()) {
        return Refuse(OpErrorCode::kTaskListBroken, kLayer,
                      fmt::format("tasks.next of the leader at {:#x} is 0: the chain is broken "
                                  "before the task was found, after {} nodes",
                                  leader.value(), visited_));
      }
      node = *next;
    }
    return NotFound();
  }

 private:
  OpResult<Kva> FirstLeader() const {
    const auto first = kernel_.Read<Kva>(head_);
    if (!first) {
      return Refuse(
          OpErrorCode::kTaskUnmapped, kLayer,
          fmt::format("init_task.tasks at {:#x}: {}", head_.value(), first.error().ToString()));
    }
    if (first->is_null()) {
      return Refuse(OpErrorCode::kTaskListBroken, kLayer,
                    fmt::format("init_task.tasks.next at {:#x} is 0", head_.value()));
    }
    if (*first == head_) {
      return Refuse(OpErrorCode::kTaskListEmpty, kLayer,
                    "init_task.tasks is empty: there are no tasks");
    }
    return *first;
  }

  // One node more.
  OpStatus Visit() {
    if (visited_ >= kMaxTaskNodes) {
      return Refuse(
          OpErrorCode::kTaskWalkCap, kLayer,
          fmt::format("not found within {} nodes: the task lists run in circles, or there "
                      "are more tasks than are looked at",
                      kMaxTaskNodes));
    }
    ++visited_;
    return {};
  }

  // The other threads of a leader: the one looked for, or null. What cannot be read hides the rest
  // of this group only.
  OpResult<Kva> SearchThreads(ObjectReader& leader) {
    const auto signal = leader.ReadAt<Kva>(layout_.signal);
    if (!signal || signal->is_null()) return Hidden(!signal);
    const Kva head = *signal + layout_.thread_head;
    auto next = kernel_.Read<Kva>(head);
    for (bool leader_seen = false; next && !next->is_null() && *next != head;) {
      const Kva thread = *next - layout_.thread_node;
      if (thread == leader.base() && !leader_seen) {
        // The leader stands on this list too; it has been counted.
        leader_seen = true;
        next = leader.ReadAt<Kva>(layout_.thread_node);
        continue;
      }
      KTSTR_TRY(Visit());
      if (thread == layout_.init_task) {
        return Refuse(OpErrorCode::kTaskIsInit, kLayer,
                      fmt::format("the threads of the leader at {:#x} lead to init_task, which "
                                  "cannot be asked for",
                                  leader.base().value()));
      }
      ObjectReader task(kernel_, thread);
      const auto pid = task.ReadAt<uint32_t>(layout_.pid);
      if (pid && *pid == pid_) return thread;
      if (!pid) ++hidden_;
      next = task.ReadAt<Kva>(layout_.thread_node);
    }
    return Hidden(!next);
  }

  Kva Hidden(bool hidden) {
    hidden_ += hidden ? 1 : 0;
    return Kva();
  }

  tl::unexpected<OpError> LeaderUnreadable(Kva leader, const Error& error) const {
    return Refuse(OpErrorCode::kTaskUnmapped, kLayer,
                  fmt::format("the leader at {:#x}, node {} of the search: {}", leader.value(),
                              visited_, error.ToString()));
  }

  tl::unexpected<OpError> NotFound() const {
    std::string text = fmt::format("not found among {} leaders and threads", visited_);
    if (hidden_ > 0) text += fmt::format("; {} threads or thread lists could not be read", hidden_);
    return Refuse(OpErrorCode::kTaskNotFound, kLayer, std::move(text));
  }

  const GuestKernel& kernel_;
  const TaskListLayout& layout_;
  const uint32_t pid_;
  const Kva head_;
  size_t visited_ = 0;
  size_t hidden_ = 0;
};

}  // namespace

OpResult<TaskListLayout> TaskListLayout::Of(const GuestKernel& kernel) {
  MemberCache task = KTSTR_TRY(MemberCache::Open(kernel, "task_struct"));
  MemberCache signal = KTSTR_TRY(MemberCache::Open(kernel, "signal_struct"));
  const auto init_task = kernel.symbol_kva("init_task");
  if (!init_task) {
    return Refuse(OpErrorCode::kSymbolUnknown, OpLayer::kName, init_task.error().ToString());
  }
  TaskListLayout layout;
  layout.init_task = *init_task;
  layout.pid = KTSTR_TRY(task.OffsetOf("pid"));
  layout.tasks = KTSTR_TRY(task.OffsetOf("tasks"));
  layout.signal = KTSTR_TRY(task.OffsetOf("signal"));
  layout.thread_node = KTSTR_TRY(task.OffsetOf("thread_node"));
  layout.thread_head = KTSTR_TRY(signal.OffsetOf("thread_head"));
  return layout;
}

OpResult<Kva> FindTask(const GuestKernel& kernel, const TaskListLayout& layout, uint32_t pid) {
  return TaskSearch(kernel, layout, pid).Run();
}

}  // namespace ktstr
