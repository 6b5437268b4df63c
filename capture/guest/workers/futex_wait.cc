#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"

namespace ktstr::guest {

void RunFutexWait(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  static std::atomic<uint32_t> word{0};
  for (;;) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

}  // namespace ktstr::guest
