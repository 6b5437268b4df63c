// ktstr-replay resume ARCHIVE: wakes a frozen machine and lets it run on.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "capture/command/capture_command.h"
#include "capture/wake/run_on.h"
#include "capture/wake/waking_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/base/output.h"
#include "libcore/ops/request_file.h"
#include "replay/command/replay_command.h"
#include "replay/command/waking_options.h"

namespace ktstr {

namespace {

struct ResumeArguments {
  WakingArguments waking;
  std::string request;
  std::vector<std::string> then;
  std::string qmp, console, gdb;
  bool paused = false, force = false;
};

enum class Then : uint8_t { kQuit, kKeep, kCapture };

// What the command line asks for, in one piece.
struct ResumePlan {
  RunOnPlan run;
  Then then = Then::kQuit;
  std::string output;  // of kCapture
  std::optional<OpRequest> request;

  bool has_end() const { return run.run_for || run.until; }
};

Status ReadThen(const std::vector<std::string>& then, ResumePlan* plan) {
  if (then.empty()) return {};
  const bool captures = then[0] == "capture";
  if ((!captures && then[0] != "quit" && then[0] != "keep") || then.size() != (captures ? 2 : 1)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("--then is 'quit', 'keep' or 'capture NEW.kts', not '{}'",
                            fmt::join(then, " ")));
  }
  plan->then = captures ? Then::kCapture : then[0] == "keep" ? Then::kKeep : Then::kQuit;
  if (captures) plan->output = then[1];
  return {};
}

Result<ResumePlan> MakePlan(const ResumeArguments& arguments) {
  ResumePlan plan = {.run = KTSTR_TRY(PlanOf(arguments.waking))};
  KTSTR_TRY(ReadThen(arguments.then, &plan));
  if (!arguments.request.empty()) plan.request = KTSTR_TRY(ReadRequestFile(arguments.request));
  // What watches for the trigger is this process, and so are the breakpoints that it has set.
  if (plan.then == Then::kKeep && plan.run.until) {
    return Fail(ErrorCode::kInvalidArgument,
                "--then keep cannot follow --until: let it '--then capture NEW.kts', and "
                "'resume NEW.kts --paused --then keep'");
  }
  if (plan.then == Then::kCapture) KTSTR_TRY(CheckOutput(plan.output, arguments.force));
  return plan;
}

class Resume {
 public:
  Resume(const ResumeArguments& arguments, ResumePlan plan)
      : arguments_(arguments), plan_(std::move(plan)) {}

  Result<ExitCode> Run() {
    archive_ = KTSTR_TRY(ArchiveReader::Open(arguments_.waking.archive));
    const Interrupt& interrupt = *KTSTR_TRY(InterruptOfProcess());
    directory_.emplace(KTSTR_TRY(WakingDirectory::Make()));
    KTSTR_TRY(Wake());
    if (plan_.request) {
      const OpReply reply = KTSTR_TRY(run_->Do(*plan_.request));
      KTSTR_TRY(PrintReply(reply));
      if (!reply.success) return ExitCode::kAnswerIsNo;
    }
    KTSTR_TRY(arguments_.paused ? StayPaused(interrupt) : LetRun(interrupt));
    return ExitCode::kDone;
  }

 private:
  Status Wake() {
    const auto begun = std::chrono::steady_clock::now();
    WakeOptions options = WakeOptionsOf(arguments_.waking);
    options.outlives_us = plan_.then == Then::kKeep;
    options.places = {.qmp_socket = Place(arguments_.qmp, "qmp"),
                      .console_socket = Place(arguments_.console, "console"),
                      .gdb_socket = arguments_.gdb};
    options.console_log = directory_->path() / "console.log";
    places_ = options.places;
    console_log_ = options.console_log;
    run_ = KTSTR_TRY(WokenRun::Wake(*archive_, std::move(options), plan_.run));
    TellWoken(*run_, arguments_.waking.archive, begun);
    return {};
  }

  std::string Place(const std::string& given, const char* name) const {
    return given.empty() ? (directory_->path() / name).string() : given;
  }

  std::string Where() const {
    std::string text =
        fmt::format("console  {}\nso far   {}\nQMP      {}\n", places_.console_socket,
                    console_log_.string(), places_.qmp_socket);
    if (!places_.gdb_socket.empty()) text += fmt::format("gdb      {}\n", places_.gdb_socket);
    return text;
  }

  Status StayPaused(const Interrupt& interrupt) {
    if (plan_.then == Then::kKeep) return Keep();
    fmt::print(stderr, "{}it is paused; Ctrl-C ends it\n", Where());
    KTSTR_TRY(RunOn(run_->qmp(), Deadline::max(), interrupt.fd()));
    return {};
  }

  Status LetRun(const Interrupt& interrupt) {
    if (!plan_.has_end() && plan_.then == Then::kKeep) {
      KTSTR_TRY(run_->qmp().Execute("cont"));
      return Keep();
    }
    if (!plan_.has_end()) fmt::print(stderr, "{}it runs; Ctrl-C ends it\n", Where());
    const RunOnEnd end = KTSTR_TRY(run_->Run(interrupt));
    TellEnd(end);
    if (plan_.then == Then::kQuit) return {};
    if (end.gone) {
      return Fail(run_->qemu().Explain(Error(ErrorCode::kPeer, "QEMU has ended while it ran")));
    }
    return plan_.then == Then::kCapture ? Capture(end, interrupt) : Keep();
  }

  Status Capture(const RunOnEnd& end, const Interrupt& interrupt) {
    CaptureOptions options = run_->DescribeCapture(end);
    options.cancel = interrupt.insisted();
    const ArchiveArguments to = {.output = plan_.output, .force = arguments_.force};
    return RunCapture(run_->qmp(), to, std::move(options));
  }

  // Leaves QEMU to itself, as it is now.
  Status Keep() {
    const auto status = KTSTR_TRY(run_->qmp().Execute("query-status"));
    KTSTR_TRY(Output::Standard().Write(fmt::format("process  {} ({})\n{}", run_->qemu().pid(),
                                                   status.value("status", "?"), Where())));
    directory_->Keep();
    run_->qemu().Release();
    return {};
  }

  const ResumeArguments& arguments_;
  const ResumePlan plan_;
  std::unique_ptr<ArchiveReader> archive_;
  std::optional<WakingDirectory> directory_;
  WakingPlaces places_;
  std::filesystem::path console_log_;
  std::unique_ptr<WokenRun> run_;
};

Result<ExitCode> RunResume(const ResumeArguments& arguments) {
  return Resume(arguments, KTSTR_TRY(MakePlan(arguments))).Run();
}

void DeclareResume(Options* resume, Result<ExitCode>* result) {
  auto arguments = std::make_shared<ResumeArguments>();
  AddRunOptions(resume, &arguments->waking);
  resume
      ->Add("--then", &arguments->then,
            "What follows: quit, keep (it stays up, paused after --for, and is told where) or "
            "capture NEW.kts")
      .TypeName("WHAT")
      .Count(1, 2);
  resume->Add("-f,--force", &arguments->force, "Overwrite NEW.kts if it exists");
  resume
      ->Add("--request", &arguments->request,
            "Operations to do before it runs, as JSON (see ops); - is standard input")
      .TypeName("FILE")
      .Files(".json");
  resume->Add("--paused", &arguments->paused, "It does not run until somebody says so (QMP, gdb)")
      .Excludes("--for")
      .Excludes("--until");
  resume
      ->Add(
          "--gdb", &arguments->gdb,
          "A socket for QEMU's gdb stub (in gdb: target remote SOCKET), which --until needs itself")
      .TypeName("SOCKET")
      .Excludes("--until");
  resume->Add("--qmp", &arguments->qmp, "The QMP socket; else one in a directory of its own")
      .TypeName("SOCKET");
  resume->Add("--console", &arguments->console, "The socket of its serial console, likewise")
      .TypeName("SOCKET");
  AddQemuOptions(resume, &arguments->waking);
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
      "was frozen, until Ctrl-C or as long as is said. Its memory is a private copy: any number "
      "run\n"
      "at once, and the archive is never changed.",
      [result](Options* resume) { DeclareResume(resume, result); });
}

}  // namespace ktstr
