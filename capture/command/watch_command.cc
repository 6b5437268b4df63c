// ktstr-capture watch --qmp SOCKET: looks at a running guest again and again.

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "capture/command/capture_command.h"
#include "capture/qemu/json_access.h"
#include "capture/system/deadline.h"
#include "capture/system/system_error.h"
#include "capture/watch/running_kernel.h"
#include "capture/watch/sample_json.h"
#include "capture/watch/sample_text.h"
#include "capture/watch/sampler.h"
#include "capture/watch/screen.h"
#include "libcore/base/output.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

namespace {

using std::chrono::milliseconds;

struct WatchArguments {
  MachineArguments machine;
  int interval_ms = 1000;
  int64_t count = 0;  // 0: until it is ended
  bool json = false;
  size_t kernel_instance = 1;
};

// SIGINT and SIGTERM as something to wait for.
Result<UniqueFd> EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  if (fd.get() < 0) return FailErrno("making a signalfd");
  return fd;
}

enum class Wake { kInterval, kAsked };

constexpr int kMostEvents = 1000;  // taken at once

// The guest, as QEMU tells of it.
class Machine {
 public:
  explicit Machine(QmpClient& qmp) : qmp_(qmp) {}

  // Takes what QEMU has to say. Errors: kPeer when the guest is gone.
  Status Update() {
    bool changed = run_state_.empty();
    // One that never stops talking does not keep us from showing what there is, nor from ending.
    for (int taken = 0; taken < kMostEvents; ++taken) {
      const auto event = qmp_.NextEvent(After(milliseconds(0)));
      if (event) {
        KTSTR_TRY(Check(*event));
        changed |= event->name == "STOP" || event->name == "RESUME";
      } else if (event.error().code() != ErrorCode::kTimeout) {
        return Gone(event.error());
      } else if (!changed) {
        return {};
      } else {
        KTSTR_TRY(ReadRunState());
        changed = false;
      }
    }
    return changed ? ReadRunState() : Status();
  }
  const std::string& run_state() const { return run_state_; }
  int fd() const { return qmp_.fd(); }

 private:
  static Status Gone(const Error& error) {
    return Fail(ErrorCode::kPeer, "the guest is gone: " + error.ToString());
  }
  static Status Check(const QmpEvent& event) {
    // The kernel that boots next is another one, elsewhere.
    if (event.name == "RESET") return Fail(ErrorCode::kPeer, "the guest was reset");
    if (event.name == "SHUTDOWN") return Fail(ErrorCode::kPeer, "the guest has shut down");
    return {};
  }
  Status ReadRunState() {
    const auto status = qmp_.Execute("query-status");
    if (!status) return Gone(status.error());
    run_state_ = StringMember(*status, "status");
    if (run_state_.empty()) return Fail(StrangeAnswer(qmp_.name(), "query-status", *status));
    return {};
  }

  QmpClient& qmp_;
  std::string run_state_;
};

Result<Wake> WaitUntil(Deadline deadline, Machine& machine, int signals) {
  for (;;) {
    std::array<pollfd, 2> waiting = {pollfd{machine.fd(), POLLIN, 0}, pollfd{signals, POLLIN, 0}};
    const int ready = poll(waiting.data(), waiting.size(), PollTimeout(deadline));
    if (ready < 0 && errno != EINTR) return FailErrno("waiting for the next sample");
    if (ready > 0 && waiting[1].revents != 0) return Wake::kAsked;
    KTSTR_TRY(machine.Update());
    if (ready == 0) return Wake::kInterval;
  }
}

Status PrintLine(const std::string& line) { return Output::Standard().Write(line + "\n"); }

Status Watch(const WatchArguments& arguments) {
  const auto qmp = KTSTR_TRY(Connect(arguments.machine));
  const RunningKernel running =
      KTSTR_TRY(RunningKernel::Open(*qmp, arguments.machine.pid, arguments.kernel_instance));
  Sampler sampler = KTSTR_TRY(Sampler::Make(running.kernel()));
  Machine machine(*qmp);
  KTSTR_TRY(machine.Update());
  const UniqueFd signals = KTSTR_TRY(EndSignals());
  std::optional<Screen> screen;
  if (!arguments.json) screen.emplace(Output::Standard());
  Deadline next = std::chrono::steady_clock::now();
  for (int64_t taken = 1;; ++taken) {
    WatchSample sample = sampler.Take();
    sample.run_state = machine.run_state();
    KTSTR_TRY(screen ? screen->Show(ToLines(sample, screen->width()))
                     : PrintLine(ToJsonLine(sample)));
    if (taken == arguments.count || !Output::Standard().has_reader()) return {};
    next = std::max(next + milliseconds(arguments.interval_ms), std::chrono::steady_clock::now());
    if (KTSTR_TRY(WaitUntil(next, machine, signals.get())) == Wake::kAsked) return {};
  }
}

void DeclareWatch(Options* watch, Status* status) {
  auto arguments = std::make_shared<WatchArguments>();
  AddMachineOptions(watch, &arguments->machine);
  watch->Add("--interval", &arguments->interval_ms, "From one sample to the next")
      .TypeName("MS")
      .Between(1, 86'400'000)
      .ShowDefault();
  watch->Add("--count", &arguments->count, "Ends after so many samples")
      .TypeName("N")
      .Between(1, INT64_MAX);
  watch->Add("--json", &arguments->json, "One line of JSON per sample");
  AddKernelInstance(watch, &arguments->kernel_instance);
  watch->SetFooter(
      "The guest goes on while it is read. A line that begins with ~ (\"torn\" in JSON) changed\n"
      "each time it was read: its numbers are not of one moment. ? (null) is what is not known.\n"
      "queued counts the tasks that a CPU runs or has waiting: those of cfs, rt, dl and scx, and\n"
      "the stopper. local is the length of the CPU's own dispatch queue; clock age is how far the\n"
      "run queue's clock is behind the newest, which grows while a CPU is idle.\n"
      "QEMU serves one client per socket: what else asks it meanwhile needs another -qmp.\n\n"
      "Exit codes: 0 done or ended by Ctrl-C, 2 wrong usage, 3 the guest's kernel can't be used,\n"
      "4 the guest is gone, or the machine or its environment failed.");
  watch->OnChosen([arguments, status] { *status = Watch(*arguments); });
}

}  // namespace

void AddWatchCommand(Options* app, Status* status) {
  app->AddSubcommand(
      "watch",
      "Shows what a running guest's CPUs run and what sched_ext does, again and again, without\n"
      "stopping the guest. On a terminal it is refreshed in place; Ctrl-C ends it.",
      [status](Options* watch) { DeclareWatch(watch, status); });
}

}  // namespace ktstr
