// Finds a waiter of a given shape on a task's stack, and the lock whose list it is on.
#pragma once

#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/wait/waiter_kind.h"

namespace ktstr {

struct FoundWaiter {
  Kva waiter;
  Kva lock;
  int64_t waiters;  // on the lock's list, this one included
};

class StackWaiters {
 public:
  // `tasks`: the addresses of all task_structs, which tell a waiter from a list's head.
  StackWaiters(const Walk& walk, const std::unordered_set<uint64_t>& tasks);

  // Looks in [begin, end) of the task's stack. Nothing when no such waiter is on a list; a stack
  // that cannot be read has none.
  std::optional<FoundWaiter> Find(const WaiterShape& shape, Kva task, Kva begin, Kva end) const;

 private:
  struct Layout {
    uint64_t task, list, head;
    bool ring = false;     // `head` is where the lock's first_waiter is
    MaybeMember function;  // of a wait queue's entry
  };
  std::optional<Layout> LayoutOf(const WaiterShape& shape) const;
  std::optional<FoundWaiter> Check(const Layout& layout, Kva waiter) const;
  std::optional<FoundWaiter> CheckRing(const Layout& layout, Kva waiter, Kva begin, Kva end) const;
  std::optional<std::unordered_set<uint64_t>> RingOf(const Layout& layout, Kva waiter) const;
  bool IsWaiter(const Layout& layout, Kva node) const;
  bool IsOnList(Kva node) const;
  // Takes one step of a list; false, with an anomaly once, when there are none left.
  bool Step(Kva at) const;

  Walk walk_;
  const std::unordered_set<uint64_t>& tasks_;
  std::optional<Kva> text_begin_, text_end_;
  // Each waiter's list is gone through whole: unless a caller says otherwise, enough for 8,000 that
  // wait in one.
  mutable uint64_t steps_left_;
};

}  // namespace ktstr
