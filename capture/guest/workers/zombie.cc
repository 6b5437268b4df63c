#include <sys/wait.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunZombie(WorkerGroup& group) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  // Waits for its end without reaping it.
  siginfo_t info;
  if (child < 0 || waitid(P_PID, child, &info, WEXITED | WNOWAIT) != 0) _exit(1);
  WorkerTask task(group.accounts);
  task.Begin();
  for (;;) pause();
}

}  // namespace ktstr::guest
