#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

void ComputeAndSleep(WorkerTask& task, void*) {
  for (;;) {
    for (int i = 0; i < 100'000; ++i) asm volatile("" ::: "memory");
    SleepFor(2'000'000);
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
