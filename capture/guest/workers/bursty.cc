#include "kinds.h"
#include "random.h"

namespace ktstr::guest {

void RunBursty(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t busy_us = group.Parameter("busy_us", 2000);
  const int64_t idle_us = group.Parameter("idle_us", 8000);
  Random random(group.Parameter("seed", 0));
  for (;;) {
    ComputeFor(random.Around(busy_us) * 1000);
    SleepFor(random.Around(idle_us) * 1000);
    task.Round();
  }
}

}  // namespace ktstr::guest
