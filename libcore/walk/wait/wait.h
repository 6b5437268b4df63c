// What sleeping tasks wait for: locks with their owners, futexes, completions, pipes and other wait
// queues, as far as what they left on their stacks tells.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

struct LockWaitRow {
  std::optional<int64_t> pid;
  std::optional<std::string> comm;
  std::string kind;
  std::optional<Hex> lock_kva;
  std::optional<std::string> lock_symbol;
  std::optional<int64_t> owner_pid;
  std::optional<std::string> owner_comm;
  std::optional<std::string> owner_note;
  std::optional<int64_t> waiters;
  std::optional<Hex> futex_address;
  std::optional<int64_t> pipe_readers, pipe_writers;
  std::string function;
  std::optional<Hex> owner_kva, waiter_kva;
  Hex task_kva;

  static const RowTable<LockWaitRow>& Table();
  friend bool operator==(const LockWaitRow&, const LockWaitRow&) = default;
};

// One row for each sleeping task whose waiter was found, in the order of `frames` (as WalkStacks
// gives them). A task that sleeps in a lock's function without such a waiter was woken just now,
// and has no row. Errors: those of the kernel's types.
Result<Walked<LockWaitRow>> WalkLockWaits(const GuestKernel& kernel,
                                          std::span<const StackFrameRow> frames,
                                          const WalkLimits& limits = {});

}  // namespace ktstr
