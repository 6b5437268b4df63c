#include <sys/resource.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunNiceSweep(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t us = group.Parameter("us", 5000);
  for (int nice = -20, step = 1;; nice += step) {
    if (setpriority(PRIO_PROCESS, 0, nice) != 0) _exit(1);
    if (nice + step > 19 || nice + step < -20) step = -step;
    ComputeFor(us * 1000);
    task.Round();
  }
}

}  // namespace ktstr::guest
