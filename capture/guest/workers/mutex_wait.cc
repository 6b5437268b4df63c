#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

[[noreturn]] void ReadMessages(WorkerAccount* account, int log) {
  WorkerTask task(account);
  task.Begin();
  // Longer than any message; one that was overwritten meanwhile gives an error and is skipped.
  static char message[8192];
  for (;;) {
    if (read(log, message, sizeof message) > 0) task.Round();
  }
}

}  // namespace

void RunMutexWait(WorkerGroup& group) {
  const int log = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
  if (log < 0 || lseek(log, 0, SEEK_END) < 0) _exit(1);
  const int index = fork() == 0 ? 1 : 0;
  ReadMessages(&group.accounts[index], log);
}

}  // namespace ktstr::guest
