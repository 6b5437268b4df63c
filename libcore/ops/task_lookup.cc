#include "libcore/ops/task_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "libcore/kernel/object_reader.h"
#include "libcore/ops/needed_members.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

constexpr OpLayer kLayer = OpLayer::kTaskLookup;

// Scalars of kernel memory, out of the pages that were looked at last: neighbours on the lists
// often share them, and the members of one task do.
class ScalarReader {
 public:
  explicit ScalarReader(const GuestKernel& kernel) : kernel_(kernel) {}

  // Errors: those of GuestKernel::Read.
  Result<Kva> Pointer(Kva kva) {
    uint64_t value = 0;
    KTSTR_TRY(Read(kva, std::as_writable_bytes(std::span(&value, 1))));
    return Kva(value);
  }
  // A member of the object at `base`, as wide as it is. Errors: those of GuestKernel::Read.
  Result<int64_t> Integer(Kva base, const Member& member) {
    uint64_t raw = 0;
    const auto bytes = std::as_writable_bytes(std::span(&raw, 1));
    KTSTR_TRY(Read(base + member.offset, bytes.first(std::min(member.size, sizeof raw))));
    return DecodeInteger(raw, member);
  }

 private:
  struct CachedPage {
    uint64_t number = UINT64_MAX;  // Kva / 4096
    PageView view = PageView::Outside();
  };

  Status Read(Kva kva, std::span<std::byte> out) {
    if (kva.page_offset() + out.size() > kPageSize) return kernel_.Read(kva, out);
    const uint64_t number = kva.value() >> kPageShift;
    CachedPage& page = pages_[number % pages_.size()];
    if (page.number != number) KTSTR_TRY(Load(kva, page));
    std::memcpy(out.data(), page.view.data() + kva.page_offset(), out.size());
    return {};
  }

  Status Load(Kva kva, CachedPage& page) const {
    const Pa pa = KTSTR_TRY(kernel_.Translate(kva));
    PageView view = kernel_.memory().View(Pfn::Of(pa));
    if (!view.readable()) return Fail(GuestMemory::UnreadableError(pa, view));
    page = {kva.value() >> kPageShift, std::move(view)};
    return {};
  }

  const GuestKernel& kernel_;
  std::array<CachedPage, 16> pages_;
};

class TaskSearch {
 public:
  TaskSearch(const GuestKernel& kernel, const TaskListLayout& layout, uint32_t pid)
      : memory_(kernel), layout_(layout), pid_(pid), head_(layout.init_task + layout.tasks) {}

  OpResult<Kva> Run() {
    Kva node = KTSTR_TRY(FirstLeader());
    while (node != head_) {
      KTSTR_TRY(Visit());
      const Kva leader = node - layout_.tasks;
      const auto pid = memory_.Integer(leader, layout_.pid);
      if (!pid) return LeaderUnreadable(leader, pid.error());
      if (*pid == pid_) return leader;
      const auto next = memory_.Pointer(leader + layout_.tasks);
      const Kva thread = KTSTR_TRY(SearchThreads(leader));
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
  OpResult<Kva> FirstLeader() {
    const auto first = memory_.Pointer(head_);
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
  OpResult<Kva> SearchThreads(Kva leader) {
    const auto signal = memory_.Pointer(leader + layout_.signal);
    if (!signal || signal->is_null()) return Hidden(!signal);
    const Kva head = *signal + layout_.thread_head;
    auto next = memory_.Pointer(head);
    for (bool leader_seen = false; next && !next->is_null() && *next != head;) {
      const Kva thread = *next - layout_.thread_node;
      if (thread == leader && !leader_seen) {
        // The leader stands on this list too; it has been counted.
        leader_seen = true;
        next = memory_.Pointer(*next);
        continue;
      }
      KTSTR_TRY(Visit());
      if (thread == layout_.init_task) {
        return Refuse(OpErrorCode::kTaskIsInit, kLayer,
                      fmt::format("the threads of the leader at {:#x} lead to init_task, which "
                                  "cannot be asked for",
                                  leader.value()));
      }
      const auto pid = memory_.Integer(thread, layout_.pid);
      if (pid && *pid == pid_) return thread;
      if (!pid) ++hidden_;
      next = memory_.Pointer(*next);
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

  ScalarReader memory_;
  const TaskListLayout& layout_;
  const uint32_t pid_;
  const Kva head_;
  size_t visited_ = 0;
  size_t hidden_ = 0;
};

}  // namespace

OpResult<TaskListLayout> TaskListLayout::Of(const GuestKernel& kernel) {
  const auto task = KTSTR_TRY(FindNeededMembers<TaskListMembers>(kernel, kTaskStruct.name));
  const auto name = KTSTR_TRY(FindNeededMembers<TaskNameMembers>(kernel, kTaskStruct.name));
  const auto signal = KTSTR_TRY(FindNeededMembers<SignalMembers>(kernel, "signal_struct"));
  const auto init_task = kernel.symbol_kva("init_task");
  if (!init_task) {
    return Refuse(OpErrorCode::kSymbolUnknown, OpLayer::kName, init_task.error().ToString());
  }
  return TaskListLayout{*init_task,
                        *name.pid,
                        task.tasks->offset,
                        task.signal->offset,
                        task.thread_node->offset,
                        signal.thread_head->offset};
}

OpResult<Kva> FindTask(const GuestKernel& kernel, const TaskListLayout& layout, uint32_t pid) {
  return TaskSearch(kernel, layout, pid).Run();
}

}  // namespace ktstr
