#include "libcore/walk/wait/waiter_kind.h"

#include <array>
#include <initializer_list>

namespace ktstr {

namespace {

struct Beginning {
  WaiterKind kind;
  std::string_view text;
};

// What names of functions begin with: kernel/locking, kernel/futex, kernel/sched/completion.c,
// fs/pipe.c.
constexpr Beginning kBeginnings[] = {
    {WaiterKind::kMutex, "__mutex_lock"},
    {WaiterKind::kMutex, "__ww_mutex_lock"},
    {WaiterKind::kMutex, "mutex_lock"},
    {WaiterKind::kRwsemRead, "rwsem_down_read_"},
    {WaiterKind::kRwsemWrite, "rwsem_down_write_"},
    {WaiterKind::kSemaphore, "__down"},
    {WaiterKind::kSemaphore, "___down_common"},
    {WaiterKind::kRtMutex, "rt_mutex_"},
    {WaiterKind::kRtMutex, "__rt_mutex_"},
    {WaiterKind::kRtMutex, "rtlock_"},
    {WaiterKind::kRtMutex, "futex_lock_pi"},
    {WaiterKind::kCompletion, "wait_for_completion"},
    {WaiterKind::kCompletion, "__wait_for_common"},
    {WaiterKind::kFutex, "futex_wait"},
    {WaiterKind::kFutex, "__futex_wait"},
    {WaiterKind::kPipe, "pipe_read"},
    {WaiterKind::kPipe, "pipe_write"},
    {WaiterKind::kPipe, "anon_pipe_read"},
    {WaiterKind::kPipe, "anon_pipe_write"},
};

// The scheduler's own functions, which everything that sleeps goes through.
bool IsSleeping(std::string_view symbol) {
  for (const std::string_view beginning : {"__schedule", "schedule", "preempt_schedule"}) {
    if (symbol.starts_with(beginning)) return true;
  }
  return false;
}

}  // namespace

std::string_view WaiterKindName(WaiterKind kind) {
  constexpr std::array<std::string_view, 9> kNames = {"mutex",     "rwsem (read)", "rwsem (write)",
                                                      "semaphore", "rt_mutex",     "completion",
                                                      "futex",     "pipe",         "wait queue"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<WaiterGuess> GuessWaiter(std::span<const StackFrameRow> stack) {
  const StackFrameRow* first = nullptr;
  for (const StackFrameRow& frame : stack) {
    if (!frame.symbol || frame.kind == "end") continue;
    if (first == nullptr && !IsSleeping(*frame.symbol)) first = &frame;
    for (const Beginning& beginning : kBeginnings) {
      if (frame.symbol->starts_with(beginning.text)) return WaiterGuess{beginning.kind, &frame};
    }
  }
  if (first == nullptr) return std::nullopt;
  return WaiterGuess{WaiterKind::kWaitQueue, first};
}

std::optional<WaiterShape> ShapeOf(WaiterKind kind) {
  switch (kind) {
    case WaiterKind::kMutex:  // MUTEX_FLAGS, kernel/locking/mutex.h
      return WaiterShape{"mutex_waiter", "task", "list", "mutex", "wait_list", "owner.counter", 7};
    case WaiterKind::kRwsemRead:
    case WaiterKind::kRwsemWrite:  // RWSEM_OWNER_FLAGS_MASK, kernel/locking/rwsem.c
      return WaiterShape{"rwsem_waiter", "task",          "list", "rw_semaphore",
                         "wait_list",    "owner.counter", 3};
    case WaiterKind::kSemaphore:
      return WaiterShape{"semaphore_waiter", "task", "list", "semaphore", "wait_list", "", 0};
    case WaiterKind::kCompletion:
      return WaiterShape{"swait_queue", "task", "task_list", "completion", "wait.task_list", "", 0};
    case WaiterKind::kPipe:
    case WaiterKind::kWaitQueue:
      return WaiterShape{"wait_queue_entry", "private", "entry", "wait_queue_head", "head", "", 0};
    case WaiterKind::kRtMutex:
    case WaiterKind::kFutex:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace ktstr
