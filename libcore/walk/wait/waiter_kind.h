// The kinds of waiters that the kernel keeps on the stacks of sleeping tasks.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "libcore/walk/stack/stack.h"

namespace ktstr {

enum class WaiterKind : uint8_t {
  kMutex,
  kRwsemRead,
  kRwsemWrite,
  kSemaphore,
  kRtMutex,
  kCompletion,
  kFutex,
  kPipe,
  kWaitQueue,
};

// As shown to people: "mutex", "rwsem (read)", …
std::string_view WaiterKindName(WaiterKind kind);

// By the functions in a task's stack, innermost first; kWaitQueue where none of them says anything
// else. `frame` is then the one that said so.
struct WaiterGuess {
  WaiterKind kind;
  const StackFrameRow* frame;
};
std::optional<WaiterGuess> GuessWaiter(std::span<const StackFrameRow> stack);

// A structure of the kernel's in which a task waits: on a list whose head is in the lock; or, where
// the lock has no such head, in a ring of waiters to the first of which the lock's `first_waiter`
// points (mutexes and rwsems of 7.3).
struct WaiterShape {
  std::string_view waiter, task, list;  // struct, and its members
  std::string_view lock, head;          // struct, and its member
  std::string_view owner;               // member of the lock; empty: it has none
  uint64_t owner_flags;                 // bits of it that are no address
};
// Nothing for kRtMutex and kFutex, whose waiters are found in other ways.
std::optional<WaiterShape> ShapeOf(WaiterKind kind);

}  // namespace ktstr
