#include <sched.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunRtHog(WorkerGroup& group) {
  sched_param parameters = {};
  parameters.sched_priority = int(group.Parameter("priority", 50));
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0) _exit(1);
  RunSpin(group);
}

}  // namespace ktstr::guest
