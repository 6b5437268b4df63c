#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

std::atomic<uint32_t> calls{0};

void Listen(WorkerTask& task, void*) {
  for (uint32_t heard = calls.load();;) {
    syscall(SYS_futex, &calls, FUTEX_WAIT_PRIVATE, heard, nullptr, nullptr, 0);
    const uint32_t now = calls.load();
    if (now == heard) continue;
    heard = now;
    task.Round();
  }
}

}  // namespace

void RunFutexFanOut(WorkerGroup& group) {
  for (int i = 1; i < group.tasks; ++i) StartThread(&group.accounts[i], Listen, nullptr);
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t us = group.Parameter("us", 2000);
  for (;;) {
    SleepFor(us * 1000);
    calls.fetch_add(1);
    syscall(SYS_futex, &calls, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
    task.Round();
  }
}

}  // namespace ktstr::guest
