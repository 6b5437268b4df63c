#include <time.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

void ComputeAndSleep(WorkerTask& task, void*) {
  const timespec pause = {0, 2'000'000};
  for (;;) {
    for (int i = 0; i < 100'000; ++i) asm volatile("" ::: "memory");
    nanosleep(&pause, nullptr);
    task.Round();
  }
}

}  // namespace

void RunThreads(WorkerGroup& group) {
  for (int i = 1; i < group.tasks; ++i) StartThread(&group.accounts[i], ComputeAndSleep, nullptr);
  WorkerTask task(group.accounts);
  task.Begin();
  for (;;) pause();
}

}  // namespace ktstr::guest
