// ktstr-replay what-if ARCHIVE --request FILE: wakes a frozen machine twice, with and without a
// change, and shows what became different.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "capture/command/capture_command.h"
#include "capture/run/own_place.h"
#include "capture/system/child_process.h"
#include "capture/wake/waking_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/base/private_directory.h"
#include "libcore/ops/request_file.h"
#include "replay/command/replay_command.h"
#include "replay/command/waking_options.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

struct WhatIfArguments {
  WakingArguments waking;
  std::string request, out;
  bool force = false, json = false;
};

// Both may take as long as a big machine takes to be compared.
constexpr std::chrono::hours kDiffTimeout(1);

class WhatIf {
 public:
  WhatIf(const WhatIfArguments& arguments, RunOnPlan plan, OpRequest request)
      : arguments_(arguments), plan_(std::move(plan)), request_(std::move(request)) {}

  Result<ExitCode> Run() {
    archive_ = KTSTR_TRY(ArchiveReader::Open(arguments_.waking.archive));
    const Interrupt& interrupt = *KTSTR_TRY(InterruptOfProcess());
    directory_.emplace(KTSTR_TRY(WakingDirectory::Make()));
    const fs::path out = arguments_.out.empty() ? directory_->path() : fs::path(arguments_.out);
    const std::string without = out / "without.kts", with = out / "with.kts";
    KTSTR_TRY(CheckPlace(out, {without, with}));
    TellStep("without the request:");
    KTSTR_TRY(RunOnce(nullptr, without, interrupt));
    TellStep("with the request:");
    if (!KTSTR_TRY(RunOnce(&request_, with, interrupt))) return ExitCode::kAnswerIsNo;
    return Compare(without, with);
  }

 private:
  Status CheckPlace(const fs::path& out, std::initializer_list<std::string> files) const {
    KTSTR_TRY(MakePrivateDirectories(out));
    for (const std::string& file : files) KTSTR_TRY(CheckOutput(file, arguments_.force));
    return {};
  }

  // False when the batch failed.
  Result<bool> RunOnce(const OpRequest* request, const std::string& output,
                       const Interrupt& interrupt) {
    const auto begun = std::chrono::steady_clock::now();
    const auto run = KTSTR_TRY(WokenRun::Wake(*archive_, WakeOptionsOf(arguments_.waking), plan_));
    TellWoken(*run, arguments_.waking.archive, begun);
    if (request != nullptr) {
      const OpReply reply = KTSTR_TRY(run->Do(*request));
      if (!reply.success) {
        KTSTR_TRY(PrintReply(reply));
        return false;
      }
    }
    const RunOnEnd end = KTSTR_TRY(run->Run(interrupt));
    TellEnd(end);
    if (end.trigger == "interrupt") {
      return Fail(ErrorCode::kInterrupted, "ended by Ctrl-C before there was anything to compare");
    }
    if (end.gone) {
      return Fail(run->qemu().Explain(Error(ErrorCode::kPeer, "QEMU has ended while it ran")));
    }
    CaptureOptions options = run->DescribeCapture(end);
    options.cancel = interrupt.insisted();
    options.output = output;
    options.overwrite = arguments_.force;
    if (request != nullptr) options.tags["ops"] = request->tag;
    KTSTR_TRY(Capture(run->qmp(), options));
    return true;
  }

  Result<ExitCode> Compare(const std::string& without, const std::string& with) const {
    ChildOptions child = {.argv = {ProgramBeside("ktstr-analyze"), without, "diff", with},
                          .stdout_fd = STDOUT_FILENO,
                          .stderr_fd = STDERR_FILENO};
    if (arguments_.json) child.argv.emplace_back("--json");
    auto diff = KTSTR_TRY(ChildProcess::Start(child));
    const int status = KTSTR_TRY(diff.Wait(After(kDiffTimeout)));
    if (WIFEXITED(status)) return static_cast<ExitCode>(WEXITSTATUS(status));
    return Fail(ErrorCode::kPeer, "ktstr-analyze diff " + DescribeWaitStatus(status));
  }

  const WhatIfArguments& arguments_;
  const RunOnPlan plan_;
  const OpRequest request_;
  std::unique_ptr<ArchiveReader> archive_;
  std::optional<WakingDirectory> directory_;
};

Result<ExitCode> RunWhatIf(const WhatIfArguments& arguments) {
  RunOnPlan plan = KTSTR_TRY(PlanOf(arguments.waking));
  if (!plan.run_for && !plan.until) {
    return Fail(ErrorCode::kInvalidArgument,
                "how long shall it run? Say --for DURATION, --until TRIGGER or both");
  }
  OpRequest request = KTSTR_TRY(ReadRequestFile(arguments.request));
  if (request.direction == OpDirection::kRead) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the request '{}' reads, so it makes no difference: it must write",
                            arguments.request));
  }
  return WhatIf(arguments, std::move(plan), std::move(request)).Run();
}

void DeclareWhatIf(Options* what_if, Result<ExitCode>* result) {
  auto arguments = std::make_shared<WhatIfArguments>();
  AddRunOptions(what_if, &arguments->waking);
  what_if
      ->Add("--request", &arguments->request, "The change, as JSON (see ops); - is standard input")
      .Required()
      .TypeName("FILE")
      .Files(".json");
  what_if
      ->Add("--out", &arguments->out,
            "Keep both frozen machines there, as without.kts and with.kts")
      .TypeName("DIR");
  what_if->Add("-f,--force", &arguments->force, "Overwrite these if they exist");
  what_if->Add("--json", &arguments->json, "The difference for programs");
  AddQemuOptions(what_if, &arguments->waking);
  what_if->SetFooter(
      "Exit codes: 0 nothing differs, 1 something does or the batch failed, 2 wrong usage, 3 the\n"
      "archive cannot be woken (it says why), 4 QEMU or the system refused.");
  what_if->OnChosen([arguments, result] { *result = RunWhatIf(*arguments); });
}

}  // namespace

void AddWhatIfCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("what-if",
                     "Wakes a frozen machine twice, once as it is and once with a change to its "
                     "memory, lets both\n"
                     "run on, freezes them, and shows what differs, as ktstr-analyze diff does.",
                     [result](Options* what_if) { DeclareWhatIf(what_if, result); });
}

}  // namespace ktstr
