#include <time.h>

#include "kinds.h"

namespace ktstr::guest {

void RunSleep(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t us = group.Parameter("us", 1000);
  const timespec pause = {us / 1'000'000, us % 1'000'000 * 1000};
  for (;;) {
    nanosleep(&pause, nullptr);
    task.Round();
  }
}

}  // namespace ktstr::guest
