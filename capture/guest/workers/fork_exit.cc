#include <sys/wait.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunForkExit(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  for (;;) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0 || waitpid(child, nullptr, 0) != child) _exit(1);
    task.Round();
  }
}

}  // namespace ktstr::guest
