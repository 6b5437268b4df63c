// ktstr-replay resume ARCHIVE: wakes a frozen machine and lets it run on.

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "capture/command/capture_command.h"
#include "capture/live_ops.h"
#include "capture/run/interrupt.h"
#include "capture/wake/run_on.h"
#include "capture/wake/wake.h"
#include "capture/wake/waking_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/base/quantity.h"
#include "libcore/ops/request_file.h"
#include "replay/command/replay_command.h"

namespace ktstr {

namespace {

using Clock = std::chrono::steady_clock;

struct ResumeArguments {
  std::string archive, run_for, request, qemu, accelerator = "auto";
  std::vector<std::string> then;
  std::string qmp, console, gdb;
  bool paused = false, with_disks = false, force = false;
};

enum class Then : uint8_t { kQuit, kKeep, kCapture };

// What the command line asks for, in one piece.
struct Plan {
  std::optional<std::chrono::microseconds> run_for;
  Then then = Then::kQuit;
  std::string output;  // of kCapture
  std::optional<OpRequest> request;
};

Result<Plan> MakePlan(const ResumeArguments& arguments) {
  Plan plan;
  if (!arguments.run_for.empty()) plan.run_for = KTSTR_TRY(ParseDuration(arguments.run_for));
  if (!arguments.request.empty()) plan.request = KTSTR_TRY(ReadRequestFile(arguments.request));
  const std::vector<std::string>& then = arguments.then;
  if (then.empty()) return plan;
  const bool captures = then[0] == "capture";
  if ((!captures && then[0] != "quit" && then[0] != "keep") || then.size() != (captures ? 2 : 1)) {
    return Fail(ErrorCode::kInvalidArgument, "--then is 'quit', 'keep' or 'capture NEW.kts'");
  }
  plan.then = captures ? Then::kCapture : then[0] == "keep" ? Then::kKeep : Then::kQuit;
  if (!captures) return plan;
  plan.output = then[1];
  KTSTR_TRY(CheckOutput(plan.output, arguments.force));
  return plan;
}

void Tell(const std::string& line) { fmt::print(stderr, "{}\n", line); }

class Resume {
 public:
  Resume(const ResumeArguments& arguments, Plan plan)
      : arguments_(arguments), plan_(std::move(plan)) {}

  Result<ExitCode> Run() {
    const auto interrupt = KTSTR_TRY(Interrupt::FromSignals());
    archive_ = KTSTR_TRY(ArchiveReader::Open(arguments_.archive));
    directory_.emplace(KTSTR_TRY(WakingDirectory::Make()));
    KTSTR_TRY(Wake());
    if (plan_.request && !KTSTR_TRY(Change())) return ExitCode::kAnswerIsNo;
    TellWhere();
    if (!arguments_.paused) KTSTR_TRY(woken_.qemu->qmp().Execute("cont"));
    KTSTR_TRY(LetRun(*interrupt));
    return ExitCode::kDone;
  }

 private:
  Status Wake() {
    const auto begun = Clock::now();
    WakeOptions options;
    options.qemu = arguments_.qemu;
    options.accelerator = arguments_.accelerator == "kvm"   ? Accelerator::kKvm
                          : arguments_.accelerator == "tcg" ? Accelerator::kTcg
                                                            : Accelerator::kAuto;
    options.with_disks = arguments_.with_disks;
    options.outlives_us = plan_.then == Then::kKeep;
    options.places = {.qmp_socket = Place(arguments_.qmp, "qmp"),
                      .console_socket = Place(arguments_.console, "console"),
                      .gdb_socket = arguments_.gdb};
    options.console_log = directory_->path() / "console.log";
    places_ = options.places;
    console_log_ = options.console_log;
    woken_ = KTSTR_TRY(WakeMachine(*archive_, options));
    Tell(fmt::format("woke {} on QEMU {} ({}) in {}", arguments_.archive, woken_.version,
                     woken_.accelerator == Accelerator::kKvm ? "KVM" : "TCG",
                     FormatDuration(Clock::now() - begun)));
    for (const std::string& note : woken_.notes) Tell("note: " + note);
    return {};
  }

  std::string Place(const std::string& given, const char* name) const {
    return given.empty() ? (directory_->path() / name).string() : given;
  }

  // Does the request before anything runs. False when the batch failed.
  Result<bool> Change() {
    Frozen frozen = KTSTR_TRY(Frozen::Freeze(woken_.qemu->qmp()));
    const auto ops = KTSTR_TRY(LiveOps::Open(frozen, woken_.qemu->pid()));
    const OpReply reply = KTSTR_TRY(ops->Dispatch(frozen, *plan_.request));
    KTSTR_TRY(PrintReply(reply));
    return reply.success;
  }

  void TellWhere() const {
    const bool waits = !plan_.run_for || plan_.then == Then::kKeep;
    if (!waits) return;
    Tell(fmt::format("  console  {} (so far: {})", places_.console_socket, console_log_.string()));
    Tell(fmt::format("  QMP      {}", places_.qmp_socket));
    if (!places_.gdb_socket.empty()) Tell(fmt::format("  gdb      {}", places_.gdb_socket));
  }

  Status LetRun(const Interrupt& interrupt) {
    QmpClient& qmp = woken_.qemu->qmp();
    if (!plan_.run_for && plan_.then == Then::kKeep) return Keep();
    const Deadline deadline = plan_.run_for ? Clock::now() + *plan_.run_for : Deadline::max();
    if (!plan_.run_for) {
      Tell(arguments_.paused ? "it is paused; Ctrl-C ends it" : "it runs; Ctrl-C ends it");
    }
    const RanOn ran = KTSTR_TRY(RunOn(qmp, deadline, interrupt.fd()));
    if (ran.end == RunEnd::kGone) {
      return plan_.then == Then::kQuit
                 ? Status()
                 : Fail(woken_.qemu->Explain(Error(ErrorCode::kPeer, "QEMU has ended")));
    }
    if (ran.end == RunEnd::kMachine) Tell("the machine ended by itself: " + ran.detail);
    KTSTR_TRY(qmp.Execute("stop"));
    if (plan_.then == Then::kCapture) return Capture(ran);
    if (plan_.then == Then::kKeep) return Keep();
    return {};
  }

  Status Capture(const RanOn& ran) {
    CaptureOptions options;
    options.then = AfterCapture::kResume;  // it is paused, and stays so
    options.captured_by = "ktstr-replay";
    options.trigger = ran.end == RunEnd::kMachine ? "machine-end" : "resumed";
    options.trigger_detail = ran.detail;
    options.parent_digest = archive_->digest();
    options.pid = woken_.qemu->pid();
    const ArchiveArguments to = {.output = plan_.output, .force = arguments_.force};
    KTSTR_TRY(RunCapture(woken_.qemu->qmp(), to, std::move(options)));
    return {};
  }

  Status Keep() {
    const auto status = KTSTR_TRY(woken_.qemu->qmp().Execute("query-status"));
    fmt::print("process {}\nconsole {}\nlog     {}\nqmp     {}\n", woken_.qemu->pid(),
               places_.console_socket, console_log_.string(), places_.qmp_socket);
    if (!places_.gdb_socket.empty()) fmt::print("gdb     {}\n", places_.gdb_socket);
    directory_->Keep();
    woken_.qemu->Release();
    return {};
  }

  const ResumeArguments& arguments_;
  const Plan plan_;
  std::unique_ptr<ArchiveReader> archive_;
  std::optional<WakingDirectory> directory_;
  WakingPlaces places_;
  std::filesystem::path console_log_;
  WokenMachine woken_;
};

Result<ExitCode> RunResume(const ResumeArguments& arguments) {
  return Resume(arguments, KTSTR_TRY(MakePlan(arguments))).Run();
}

void DeclareResume(Options* resume, Result<ExitCode>* result) {
  auto arguments = std::make_shared<ResumeArguments>();
  resume->Add("ARCHIVE", &arguments->archive, "The frozen machine (.kts)")
      .Required()
      .TypeName("")
      .Files(".kts");
  resume->Add("--for", &arguments->run_for, "How long it runs, such as 3s; else until Ctrl-C")
      .TypeName("DURATION");
  resume
      ->Add("--then", &arguments->then,
            "What follows: quit, keep (it stays up, and is told where) or capture NEW.kts")
      .TypeName("WHAT")
      .Count(1, 2);
  resume->Add("--force", &arguments->force, "Overwrite NEW.kts if it exists");
  resume
      ->Add("--request", &arguments->request,
            "Operations to do before it runs, as JSON; - is standard input")
      .TypeName("FILE")
      .Files(".json");
  resume->Add("--paused", &arguments->paused, "It does not run until somebody says so (QMP, gdb)");
  resume->Add("--gdb", &arguments->gdb, "A socket for QEMU's gdb stub (gdb: target remote SOCKET)")
      .TypeName("SOCKET");
  resume->Add("--qmp", &arguments->qmp, "The QMP socket; else one of a directory of its own")
      .TypeName("SOCKET");
  resume->Add("--console", &arguments->console, "The socket of its serial console, likewise")
      .TypeName("SOCKET");
  resume->Add("--disks", &arguments->with_disks,
              "Give it its disks as they are now; what it writes is lost");
  resume
      ->Add("--qemu", &arguments->qemu, "The QEMU to take; else one of the version that it ran on")
      .TypeName("PROGRAM");
  resume->Add("--accel", &arguments->accelerator, "auto takes what it ran on")
      .TypeName("auto|kvm|tcg")
      .OneOf({"auto", "kvm", "tcg"})
      .ShowDefault();
  resume->SetFooter(
      "Exit codes: 0 done, 1 the batch of --request failed, 2 wrong usage, 3 the archive cannot\n"
      "be woken (it says why), 4 QEMU or the system refused.");
  resume->OnChosen([arguments, result] { *result = RunResume(*arguments); });
}

}  // namespace

void AddResumeCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand(
      "resume",
      "Wakes a frozen machine: it goes on, in a QEMU of its own, from the instruction at which it\n"
      "was frozen. Its memory is a private copy: any number run at once, and the archive is never\n"
      "changed.",
      [result](Options* resume) { DeclareResume(resume, result); });
}

}  // namespace ktstr
