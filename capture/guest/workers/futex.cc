#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

// Whose turn it is: 0 or 1.
std::atomic<uint32_t> turn{0};

void TakeTurns(WorkerTask& task, uint32_t mine) {
  for (;;) {
    for (uint32_t now; (now = turn.load()) != mine;) {
      syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, nullptr, nullptr, 0);
    }
    turn.store(1 - mine);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    task.Round();
  }
}

}  // namespace

void RunFutex(WorkerGroup& group) {
  StartThread(
      &group.accounts[1], [](WorkerTask& task, void*) { TakeTurns(task, 1); }, nullptr);
  // What is asked for beyond two just waits for ever.
  for (int i = 2; i < group.tasks; ++i) {
    StartThread(
        &group.accounts[i],
        [](WorkerTask&, void*) {
          for (;;) pause();
        },
        nullptr);
  }
  WorkerTask task(group.accounts);
  task.Begin();
  TakeTurns(task, 0);
}

}  // namespace ktstr::guest
