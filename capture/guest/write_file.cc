#include "write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace ktstr::guest {
namespace {

// The writer is an ordinary task, as whoever makes such mistakes is, and so one of the scheduler
// under test. One that has not run for so long because that one stalls is put where init stands.
constexpr int kMayWaitMs = 100;

void RaiseWhatDoesNotRun(pid_t writer, int began) {
  pollfd event = {began, POLLIN, 0};
  while (poll(&event, 1, kMayWaitMs) < 0 && errno == EINTR) {
  }
  if (event.revents != 0) return;
  sched_param parameters;
  if (sched_getparam(0, &parameters) != 0) return;
  sched_setscheduler(writer, sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, &parameters);
}

}  // namespace

std::string WriteFileOf(const nlohmann::json& request) {
  const std::string path = request.value("path", ""), text = request.value("text", "");
  const std::string what = "writing '" + text + "' to " + path + ": ";
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return what + strerror(errno);
  int began[2];
  if (pipe2(began, O_CLOEXEC) != 0) {
    const int error = errno;
    close(fd);
    return what + strerror(error);
  }
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, "ktstr-write", 0, 0, 0);
    if (write(began[1], "", 1) != 1) _exit(errno);
    _exit(write(fd, text.data(), text.size()) == ssize_t(text.size()) ? 0 : errno);
  }
  const int error = errno;
  close(fd);
  close(began[1]);
  if (pid > 0) RaiseWhatDoesNotRun(pid, began[0]);
  close(began[0]);
  if (pid < 0) return what + strerror(error);
  if (!request.value("wait", true)) return "";
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return what + strerror(errno);
  if (!WIFEXITED(status)) return what + "the writer was killed";
  return WEXITSTATUS(status) == 0 ? "" : what + strerror(WEXITSTATUS(status));
}

}  // namespace ktstr::guest
