#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "kinds.h"

namespace ktstr::guest {

void RunIoSync(WorkerGroup& group) {
  WorkerTask task(group.accounts);
  task.Begin();
  std::string bytes(size_t(group.Parameter("kib", 64)) * 1024, 'x');
  const std::string path = "/tmp/io-sync-" + std::to_string(getpid());
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) _exit(1);
  unlink(path.c_str());
  const auto size = ssize_t(bytes.size());
  for (;;) {
    if (pwrite(fd, bytes.data(), bytes.size(), 0) != size || fsync(fd) != 0 ||
        pread(fd, bytes.data(), bytes.size(), 0) != size) {
      _exit(1);
    }
    task.Round();
  }
}

}  // namespace ktstr::guest
