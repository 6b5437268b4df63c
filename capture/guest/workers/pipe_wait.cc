#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunPipeWait(WorkerGroup& group) {
  int ends[2];
  if (pipe(ends) != 0) _exit(1);
  WorkerTask task(group.accounts);
  task.Begin();
  for (char byte;;) {
    if (read(ends[0], &byte, 1) < 0) _exit(1);
  }
}

}  // namespace ktstr::guest
