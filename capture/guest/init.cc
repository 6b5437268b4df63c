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

#include <nlohmann/json.hpp>
#include <string>

#include "at_work.h"
#include "capture_request.h"
#include "cgroup.h"
#include "host_port.h"
#include "payload_pool.h"
#include "proc_account.h"
#include "protocol.h"
#include "run_program.h"
#include "scheduler.h"
#include "setup.h"
#include "system_account.h"
#include "worker_pool.h"
#include "write_file.h"

namespace ktstr::guest {
namespace {

using nlohmann::json;

// A scheduler's end has no descriptor to wait for; how often it is looked for.
constexpr int kSchedulerPollMs = 50;

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
      pollfd waiting[3] = {
          {port_.fd(), POLLIN, 0}, {children, POLLIN, 0}, {requests_.fd(), POLLIN, 0}};
      const bool ready = poll(waiting, 3, scheduler_.loaded() ? kSchedulerPollMs : -1) >= 0;
      if (scheduler_.JustEnded()) TellOfEnd();
      if (!ready) continue;
      if (waiting[1].revents != 0) ReapChildren(children);
      if (waiting[2].revents != 0) TellOfRequests();
      if (waiting[0].revents != 0) port_.Receive();
      for (json message; port_.Next(&message);) Answer(message);
    }
  }

 private:
  void TellOfEnd() {
    json event = {{"event", "scheduler-exit"}};
    scheduler_.Describe(&event);
    port_.Send(event);
  }

  void TellOfRequests() {
    for (std::string why; requests_.Next(&why);) {
      port_.Send({{"event", "capture-request"}, {"why", why}});
    }
  }

  void ReapChildren(int children) {
    signalfd_siginfo info;
    while (read(children, &info, sizeof info) > 0) continue;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      json event;
      if (payloads_.Ended(pid, status, &event)) {
        port_.Send(event);
      } else if (std::string name; pool_.EndedByItself(pid, &name)) {
        port_.Send({{"event", "worker-exit"}, {"pid", pid}, {"worker", name}, {"status", status}});
      }
    }
  }

  void Answer(const json& request) {
    const std::string verb = request.value("do", "");
    json reply = {{"id", request.value("id", json())}, {"ok", true}};
    std::string error;
    try {
      error = Do(verb, request, &reply);
    } catch (const json::exception& broken) {
      error = broken.what();
    }
    if (!error.empty()) reply.update({{"ok", false}, {"error", error}});
    port_.Send(reply);
    if (verb == "bye") PowerOff();
  }

  // "" or what went wrong.
  std::string Do(const std::string& verb, const json& request, json* reply) {
    if (verb == "start") {
      AtWork at_work(TellingOf(request));
      return Start(request.value("workers", json::array()), at_work);
    }
    if (verb == "report") {
      (*reply)["workers"] = pool_.Accounts();
      (*reply)["account"] = ReadProcAccount();
      return "";
    }
    if (verb == "workers") {
      (*reply)["workers"] = pool_.Accounts();
      (*reply)["payloads"] = payloads_.Describe();
      return "";
    }
    if (verb == "stop") return Stop(request.value("workers", json::array()));
    if (verb == "payload") return payloads_.Start(request);
    if (verb == "signal") return payloads_.Signal(request);
    if (verb == "write-file") return WriteFileOf(request);
    if (verb == "system") {
      (*reply)["system"] = ReadSystemAccount();
      return "";
    }
    if (verb == "cgroup") return SetUpCgroup(request);
    if (verb == "run") return RunProgram(request, reply);
    if (verb == "scheduler-load") {
      // The verifier takes seconds where the host is slow.
      AtWork at_work(TellingOf(request));
      const Pulse pulse(at_work);
      return scheduler_.Load(request);
    }
    if (verb == "scheduler-set") return scheduler_.Set(request);
    if (verb == "scheduler-unload") return scheduler_.Unload(reply);
    if (verb == "scheduler-state") {
      scheduler_.Describe(reply);
      return "";
    }
    return verb == "bye" || verb == "ping" ? "" : "there is no verb '" + verb + "'";
  }

  std::function<void()> TellingOf(const json& request) {
    return [this, id = request.value("id", json())] { port_.Send({{"id", id}, {"busy", true}}); };
  }

  std::string Start(const json& workers, AtWork& at_work) {
    for (const json& spec : workers) {
      std::string error = pool_.Start(spec, at_work);
      if (!error.empty()) return error;
    }
    return "";
  }

  std::string Stop(const json& names) {
    for (const json& name : names) {
      std::string error = pool_.Stop(name);
      if (!error.empty()) return error;
    }
    return "";
  }

  HostPort& port_;
  WorkerPool pool_;
  PayloadPool payloads_;
  CaptureRequests requests_;
  Scheduler scheduler_;
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
