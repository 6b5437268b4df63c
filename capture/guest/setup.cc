#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sstream>

#include "proc_account.h"
#include "protocol.h"

namespace ktstr::guest {

void MountFileSystems() {
  // The root, which lives in memory too, may hold files of the user's anywhere else, /tmp included.
  constexpr struct {
    const char *type, *where;
  } kMounts[] = {{"proc", "/proc"},
                 {"sysfs", "/sys"},
                 {"devtmpfs", "/dev"},
                 {"cgroup2", "/sys/fs/cgroup"},
                 {"bpf", "/sys/fs/bpf"},
                 {"debugfs", "/sys/kernel/debug"},
                 {"tracefs", "/sys/kernel/tracing"}};
  for (const auto& [type, where] : kMounts) {
    mkdir(where, 0755);
    mount(type, where, type, 0, nullptr);
  }
}

std::string LoadModules() {
  std::istringstream list(ReadFile(kModuleListPath));
  for (std::string path; std::getline(list, path);) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return "opening module " + path + ": " + strerror(errno);
    const long result = syscall(SYS_finit_module, fd, "", 0);
    const int error = errno;
    close(fd);
    if (result != 0 && error != EEXIST) return "loading module " + path + ": " + strerror(error);
  }
  return "";
}

}  // namespace ktstr::guest
