#include "kinds.h"

namespace ktstr::guest {

void RunSleep(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t us = group.Parameter("us", 1000);
  for (;;) {
    SleepFor(us * 1000);
    task.Round();
  }
}

}  // namespace ktstr::guest
