#include "write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace ktstr::guest {

std::string WriteFileOf(const nlohmann::json& request) {
  const std::string path = request.value("path", ""), text = request.value("text", "");
  const std::string what = "writing '" + text + "' to " + path + ": ";
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return what + strerror(errno);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, "ktstr-write", 0, 0, 0);
    _exit(write(fd, text.data(), text.size()) == ssize_t(text.size()) ? 0 : errno);
  }
  const int error = errno;
  close(fd);
  if (pid < 0) return what + strerror(error);
  if (!request.value("wait", true)) return "";
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return what + strerror(errno);
  if (!WIFEXITED(status)) return what + "the writer was killed";
  return WEXITSTATUS(status) == 0 ? "" : what + strerror(WEXITSTATUS(status));
}

}  // namespace ktstr::guest
