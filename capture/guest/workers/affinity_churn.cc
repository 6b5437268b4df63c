#include <sched.h>
#include <unistd.h>

#include <vector>

#include "kinds.h"
#include "random.h"

namespace ktstr::guest {

void RunAffinityChurn(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  const int64_t us = group.Parameter("us", 2000);
  Random random(group.Parameter("seed", 0));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) _exit(1);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  for (;;) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpus[random.Below(int64_t(cpus.size()))], &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) _exit(1);
    ComputeFor(us * 1000);
    task.Round();
  }
}

}  // namespace ktstr::guest
