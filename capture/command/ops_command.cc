// ktstr-capture ops --qmp SOCKET --request FILE: operations on a running guest, in one freeze.

#include <fmt/format.h>

#include "capture/command/capture_command.h"
#include "capture/live_ops.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/ops/request_file.h"

namespace ktstr {

namespace {

struct OpsArguments {
  ArchiveArguments archive;
  MachineArguments machine;
  std::string request;
  size_t kernel_instance = 1;
};

// Captures after the batch, in the same freeze: the archive shows what the batch left behind.
Status CaptureToo(Frozen& frozen, const OpsArguments& arguments, const OpRequest& request) {
  CaptureOptions options;
  options.trigger = "ops";
  options.trigger_detail = request.tag;
  options.pid = arguments.machine.pid;
  return RunCaptureFrozen(frozen, arguments.archive, std::move(options));
}

Result<ExitCode> Ops(const OpsArguments& arguments) {
  const OpRequest request = KTSTR_TRY(ReadRequestFile(arguments.request));
  const bool capture = !arguments.archive.output.empty();
  if (capture) KTSTR_TRY(CheckOutput(arguments.archive.output, arguments.archive.force));
  const auto qmp = KTSTR_TRY(Connect(arguments.machine));
  const InterruptGuard guard(kEndingSignals);
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(*qmp));
  auto ops = LiveOps::Open(frozen, arguments.machine.pid, arguments.kernel_instance);
  if (!ops) return Fail(frozen.ResumeAfter(std::move(ops).error()));
  auto dispatched = (*ops)->Dispatch(frozen, request);
  if (!dispatched) return Fail(frozen.ResumeAfter(std::move(dispatched).error()));
  const OpReply& reply = *dispatched;
  // The reply is printed whatever becomes of the capture: what was written is written.
  const auto captured = capture ? CaptureToo(frozen, arguments, request) : Status();
  const auto resumed = frozen.Resume();
  const ExitCode exit_code = KTSTR_TRY(PrintReply(reply));
  KTSTR_TRY(captured);
  KTSTR_TRY(resumed);
  return exit_code;
}

void DeclareOps(Options* ops, Status* status, ExitCode* exit_code) {
  auto arguments = std::make_shared<OpsArguments>();
  AddMachineOptions(ops, &arguments->machine);
  ops->Add("--request", &arguments->request, "The operations, as JSON; - is standard input")
      .TypeName("FILE")
      .Files(".json")
      .Required();
  AddKernelInstance(ops, &arguments->kernel_instance);
  AddArchiveOptions(ops, &arguments->archive);
  ops->Find("--output")->Help("Also capture the machine, after the batch, in the same freeze");
  ops->SetFooter(
      "libcore/ops/README.md has all targets and values; ktstr-replay ops does the same on an\n"
      "archive.\n\n"
      "Exit codes: 0 done, 1 the batch failed (the reply says where and why), 2 wrong usage or\n"
      "request, 3 the guest's kernel can't be used, 4 the machine or its environment failed.");
  ops->OnChosen([arguments, status, exit_code] {
    const auto done = Ops(*arguments);
    if (done) *exit_code = *done;
    if (!done) *status = Fail(done.error());
  });
}

}  // namespace

void AddOpsCommand(Options* app, Status* status, ExitCode* exit_code) {
  app->AddSubcommand(
      "ops",
      "Reads or writes the kernel memory of a running guest, by name or address, in one freeze.\n"
      "The reply is one line of JSON on standard output. The guest goes on if it ran before.",
      [status, exit_code](Options* ops) { DeclareOps(ops, status, exit_code); });
}

}  // namespace ktstr
