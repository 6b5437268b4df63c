#include <unistd.h>

#include <mutex>

#include "kinds.h"

namespace ktstr::guest {

namespace {

std::mutex fought_for;
int64_t hold_ns;

void TakeMutexInTurn(WorkerTask& task, void*) {
  for (;;) {
    {
      const std::lock_guard lock(fought_for);
      ComputeFor(hold_ns);
    }
    task.Round();
  }
}

}  // namespace

void RunMutex(WorkerGroup& group) {
  hold_ns = group.Parameter("hold_us", 50) * 1000;
  for (int i = 1; i < group.tasks; ++i) StartThread(&group.accounts[i], TakeMutexInTurn, nullptr);
  WorkerTask task(group.accounts);
  task.Begin();
  TakeMutexInTurn(task, nullptr);
}

}  // namespace ktstr::guest
