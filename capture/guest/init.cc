// The first and only program of our guests: sets the machine up, then does what the host asks.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "host_port.h"
#include "proc_account.h"
#include "protocol.h"
#include "run_program.h"
#include "setup.h"
#include "worker_pool.h"

namespace ktstr::guest {
namespace {

using nlohmann::json;

[[noreturn]] void PowerOff() {
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

[[noreturn]] void GiveUp(const std::string& why) {
  fprintf(stderr, "%s%s\n", kFarewell, why.c_str());
  PowerOff();
}

void OpenConsole() {
  const int fd = open("/dev/console", O_RDWR);
  if (fd < 0) return;
  for (int standard = 0; standard < 3; ++standard) dup2(fd, standard);
  if (fd > 2) close(fd);
}

int WatchChildren() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

class Init {
 public:
  explicit Init(HostPort& port) : port_(port) {}

  void Greet() {
    utsname name;
    uname(&name);
    port_.Send({{"event", "hello"}, {"version", kProtocolVersion}, {"release", name.release}});
  }

  [[noreturn]] void Serve() {
    const int children = WatchChildren();
    for (;;) {
      pollfd waiting[2] = {{port_.fd(), POLLIN, 0}, {children, POLLIN, 0}};
      if (poll(waiting, 2, -1) < 0) continue;
      if (waiting[1].revents != 0) ReapChildren(children);
      if (waiting[0].revents != 0) port_.Receive();
      for (json message; port_.Next(&message);) Answer(message);
    }
  }

 private:
  void ReapChildren(int children) {
    signalfd_siginfo info;
    while (read(children, &info, sizeof info) > 0) continue;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      port_.Send({{"event", "worker-exit"}, {"pid", pid}, {"status", status}});
    }
  }

  void Answer(const json& request) {
    const std::string verb = request.value("do", "");
    json reply = {{"id", request.value("id", json())}, {"ok", true}};
    std::string error;
    if (verb == "start") {
      error = Start(request.value("workers", json::array()));
    } else if (verb == "report") {
      reply["workers"] = pool_.Accounts();
      reply["account"] = ReadProcAccount();
    } else if (verb == "run") {
      error = RunProgram(request, &reply);
    } else if (verb != "bye") {
      error = "there is no verb '" + verb + "'";
    }
    if (!error.empty()) reply.update({{"ok", false}, {"error", error}});
    port_.Send(reply);
    if (verb == "bye") PowerOff();
  }

  std::string Start(const json& workers) {
    for (const json& spec : workers) {
      std::string error = pool_.Start(spec);
      if (!error.empty()) return error;
    }
    return "";
  }

  HostPort& port_;
  WorkerPool pool_;
};

[[noreturn]] void Main() {
  MountFileSystems();
  OpenConsole();
  printf("%s\n", kConsoleMark);
  fflush(stdout);
  prctl(PR_SET_NAME, "ktstr-init", 0, 0, 0);
  if (std::string error = LoadModules(); !error.empty()) GiveUp(error);
  HostPort port;
  if (std::string error = port.Open(); !error.empty()) GiveUp(error);
  Init init(port);
  try {
    init.Greet();
    init.Serve();
  } catch (const std::exception& broken) {
    GiveUp(broken.what());
  }
}

}  // namespace
}  // namespace ktstr::guest

int main() { ktstr::guest::Main(); }
