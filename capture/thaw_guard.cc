#include "capture/thaw_guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "capture/qemu/handed_file.h"
#include "capture/qemu/json_access.h"
#include "capture/qemu/json_socket.h"
#include "capture/qemu/qmp_client.h"
#include "capture/system/child_process.h"
#include "capture/system/system_error.h"

namespace ktstr {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kPatience(10);
// What QEMU does for us when we die, such as saving its devices' state, it does to the end first.
constexpr seconds kAnswerTimeout(60);
// Between two tries where the first failed at once, as with a libvirt that is busy.
constexpr milliseconds kPause(200);

// Whether QEMU has answered, so that there is nothing left to try.
bool LetGoOn(QmpClient& qmp, ThawGuard::Guest guest, pid_t owner) {
  if (guest == ThawGuard::Guest::kGoesOn) {
    const auto status = qmp.Execute("query-status");
    if (!status) return false;
    // "paused" is what we make of "running". In any other state it is another's by now.
    if (StringMember(*status, "status") == "paused" && !qmp.Execute("cont") &&
        HasHungUp(qmp.fd())) {
      return false;
    }
  }
  RemoveHandedFiles(qmp, owner);
  return true;
}

void TakeOver(const std::string& address, ThawGuard::Guest guest, pid_t owner) {
  for (const Deadline end = After(kPatience); PollTimeout(end) > 0;) {
    const auto qmp = QmpClient::Connect(address, kAnswerTimeout);
    if (qmp) {
      (*qmp)->SetTimeout(kAnswerTimeout);
      if (LetGoOn(**qmp, guest, owner)) return;
    } else if (qmp.error().code() == ErrorCode::kIo) {
      return;  // nobody listens any more: QEMU is gone
    }
    poll(nullptr, 0, int(kPause.count()));
  }
}

// In the new process: it may allocate and lock, since the C library makes its locks anew on
// fork(2), and no other thread of ours is in the code that runs here.
[[noreturn]] void Guard(int line, const std::string& address, ThawGuard::Guest guest, pid_t owner) {
  setsid();
  prctl(PR_SET_NAME, "ktstr-thaw");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  CloseFilesBut({line});
  char word = 0;
  std::ignore = send(line, &word, 1, MSG_NOSIGNAL);
  ssize_t heard;
  do {
    heard = recv(line, &word, 1, 0);
  } while (heard < 0 && errno == EINTR);
  if (heard <= 0) TakeOver(address, guest, owner);
  _exit(0);
}

}  // namespace

Result<ThawGuard> ThawGuard::Start(const std::string& address, Guest guest) {
  constexpr const char* kDoing =
      "starting the process that lets the guest go on should this one be killed";
  SocketPair pair = KTSTR_TRY(MakeSocketPair());
  const pid_t owner = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FailErrno(kDoing);
  if (pid == 0) Guard(pair.theirs.get(), address, guest, owner);
  pair.theirs.Close();
  ThawGuard guard(std::move(pair.ours), pid);
  // From its word on a signal to our process group does not reach it.
  char word = 0;
  ssize_t heard;
  do {
    heard = recv(guard.line_.get(), &word, 1, 0);
  } while (heard < 0 && errno == EINTR);
  if (heard == 1) return guard;
  guard.Dismiss();
  return Fail(ErrorCode::kIo, fmt::format("{}: it has ended", kDoing));
}

void ThawGuard::Dismiss() {
  const char word = 0;
  std::ignore = send(line_.get(), &word, 1, MSG_NOSIGNAL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  line_.Close();
}

}  // namespace ktstr
