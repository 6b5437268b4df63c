#include "libcore/walk/wait/stack_waiters.h"

#include "libcore/walk/wait/stack_scan.h"

namespace ktstr {

namespace {

// Steps through lists of waiters, for each node that a walk may visit.
constexpr uint64_t kStepsPerNode = 16;

std::optional<Kva> AddressOf(const GuestKernel& kernel, const char* name) {
  const auto kva = kernel.symbol_kva(name);
  return kva ? std::optional(*kva) : std::nullopt;
}

}  // namespace

StackWaiters::StackWaiters(const Walk& walk, const std::unordered_set<uint64_t>& tasks)
    : walk_(walk),
      tasks_(tasks),
      text_begin_(AddressOf(walk.kernel, "_stext")),
      text_end_(AddressOf(walk.kernel, "_etext")),
      steps_left_(kStepsPerNode * walk.limits.max_all_nodes) {}

std::optional<StackWaiters::Layout> StackWaiters::LayoutOf(const WaiterShape& shape) const {
  const auto task = walk_.types.FindMember(shape.waiter, shape.task);
  const auto list = walk_.types.FindMember(shape.waiter, shape.list);
  auto head = walk_.types.FindMember(shape.lock, shape.head);
  const bool ring = !head;
  if (ring) head = walk_.types.FindMember(shape.lock, "first_waiter");
  if (!task || !list || !head) return std::nullopt;
  Layout layout{task->offset, list->offset, head->offset, ring, std::nullopt};
  if (const auto function = walk_.types.FindMember(shape.waiter, "func"))
    layout.function = *function;
  return layout;
}

std::optional<FoundWaiter> StackWaiters::Find(const WaiterShape& shape, Kva task, Kva begin,
                                              Kva end) const {
  const auto layout = LayoutOf(shape);
  if (!layout) return std::nullopt;
  return ScanStack(walk_.kernel, task, begin, end, [&](Kva at) {
    const Kva waiter = at - layout->task;
    return layout->ring ? CheckRing(*layout, waiter, begin, end) : Check(*layout, waiter);
  });
}

// Both neighbours of a list's node lead back to it; of one on its own there are none.
bool StackWaiters::IsOnList(Kva node) const {
  const auto next = walk_.kernel.Read<Kva>(node),
             prev = walk_.kernel.Read<Kva>(node + sizeof(uint64_t));
  if (!next || !prev || *next == node) return false;
  const auto next_prev = walk_.kernel.Read<Kva>(*next + sizeof(uint64_t));
  const auto prev_next = walk_.kernel.Read<Kva>(*prev);
  return next_prev && prev_next && *next_prev == node && *prev_next == node;
}

bool StackWaiters::Step(Kva at) const {
  if (steps_left_ == 0) return false;
  if (--steps_left_ == 0) {
    walk_.anomalies.Add("cap", at, "lists of waiters are too long: not all of them are read");
  }
  return true;
}

bool StackWaiters::IsWaiter(const Layout& layout, Kva node) const {
  const Kva waiter = node - layout.list;
  if (layout.function) {
    // Who waits in a wait queue need not be a task; what is called for it always is a function.
    const auto function = walk_.kernel.Read<Kva>(waiter + layout.function->offset);
    return function && text_begin_ && text_end_ && *text_begin_ <= *function &&
           *function < *text_end_;
  }
  const auto task = walk_.kernel.Read<uint64_t>(waiter + layout.task);
  return task && tasks_.contains(*task);
}

// The waiters of the ring that this one is in, itself alone perhaps. Nothing when it is in none.
std::optional<std::unordered_set<uint64_t>> StackWaiters::RingOf(const Layout& layout,
                                                                 Kva waiter) const {
  std::unordered_set<uint64_t> ring;
  const Kva first = waiter + layout.list;
  Kva at = first;
  do {
    const auto next = walk_.kernel.Read<Kva>(at);
    const auto back = next ? walk_.kernel.Read<Kva>(*next + sizeof(uint64_t)) : next;
    if (!back || *back != at || !IsWaiter(layout, at)) return std::nullopt;
    if (ring.size() >= walk_.limits.max_nodes || !Step(at)) return std::nullopt;
    if (!ring.insert((at - layout.list).value()).second) return std::nullopt;
    at = *next;
  } while (at != first);
  return ring;
}

// Nothing leads from a ring to its lock. But the functions that wait in it have the lock's address,
// and keep it on the stack while they sleep: it is the one whose first_waiter is of the ring.
std::optional<FoundWaiter> StackWaiters::CheckRing(const Layout& layout, Kva waiter, Kva begin,
                                                   Kva end) const {
  const auto ring = RingOf(layout, waiter);
  if (!ring) return std::nullopt;
  for (Kva at = begin; at < end; at = at + sizeof(uint64_t)) {
    const auto lock = walk_.kernel.Read<Kva>(at);
    if (!lock) return std::nullopt;
    // Of what lies on the stack only addresses in the kernel's half can be a lock's.
    if (static_cast<int64_t>(lock->value()) >= 0 || (lock->value() & 7) != 0) continue;
    const auto first = walk_.kernel.Read<Kva>(*lock + layout.head);
    // A waiter's own list node is no lock, wherever its pointers would lead.
    if (!first || !ring->contains(first->value()) || ring->contains(lock->value())) continue;
    return FoundWaiter{waiter, *lock, static_cast<int64_t>(ring->size())};
  }
  return std::nullopt;
}

std::optional<FoundWaiter> StackWaiters::Check(const Layout& layout, Kva waiter) const {
  const Kva node = waiter + layout.list;
  if (!IsOnList(node) || !IsWaiter(layout, node)) return std::nullopt;
  std::optional<Kva> head;
  int64_t waiters = 1;
  Kva at = node;
  for (size_t n = 0; n < walk_.limits.max_nodes && Step(at); ++n) {
    const auto next = walk_.kernel.Read<Kva>(at);
    if (!next) return std::nullopt;
    if (*next == node) {
      if (!head) return std::nullopt;
      return FoundWaiter{waiter, *head - layout.head, waiters};
    }
    if (IsWaiter(layout, *next)) {
      ++waiters;
    } else if (!head) {
      head = *next;
    } else {
      return std::nullopt;
    }
    at = *next;
  }
  return std::nullopt;
}

}  // namespace ktstr
