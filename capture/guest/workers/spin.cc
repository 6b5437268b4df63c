#include "kinds.h"

namespace ktstr::guest {

void RunSpin(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t loops = group.Parameter("loops", 100'000);
  for (;;) {
    for (int64_t i = 0; i < loops; ++i) asm volatile("" ::: "memory");
    task.Round();
  }
}

}  // namespace ktstr::guest
