#include <fcntl.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

namespace {

[[noreturn]] void ReadTerminal(WorkerAccount* account, int terminal) {
  WorkerTask task(account);
  task.Begin();
  for (char byte;;) {
    if (read(terminal, &byte, 1) == 1) task.Round();
  }
}

}  // namespace

void RunMutexWait(WorkerGroup& group) {
  // Not to wait for a carrier; the readers do wait, for a character.
  const int terminal = open("/dev/ttyS0", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (terminal < 0 || fcntl(terminal, F_SETFL, 0) != 0) _exit(1);
  const int index = fork() == 0 ? 1 : 0;
  ReadTerminal(&group.accounts[index], terminal);
}

}  // namespace ktstr::guest
