#include <sched.h>

#include "kinds.h"

namespace ktstr::guest {

void RunYield(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  for (;;) {
    sched_yield();
    task.Round();
  }
}

}  // namespace ktstr::guest
