// ktstr-capture --qmp SOCKET -o FILE: captures a machine that runs already; with --host the one
// that this runs on.

#include "capture/command/capture_command.h"

namespace ktstr {

namespace {

struct AttachArguments {
  ArchiveArguments archive;
  MachineArguments machine;
  bool host = false;
  std::string then = "resume";
  std::string reason = "manual";
};

Status Attach(const AttachArguments& arguments) {
  const bool named = arguments.host || !arguments.machine.qmp.empty() || arguments.machine.pid != 0;
  if (!named || arguments.archive.output.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(named ? "-o" : "--qmp") + " is missing (see ktstr-capture --help)");
  }
  KTSTR_TRY(CheckOutput(arguments.archive.output, arguments.archive.force));
  CaptureOptions options;
  if (arguments.host) {
    options.trigger = arguments.reason;
    return RunCaptureHost(arguments.archive, std::move(options));
  }
  const auto qmp = KTSTR_TRY(Connect(arguments.machine));
  options.then = arguments.then == "quit" ? AfterCapture::kQuit : AfterCapture::kResume;
  options.trigger = arguments.reason;
  options.pid = arguments.machine.pid;
  return RunCapture(*qmp, arguments.archive, std::move(options));
}

}  // namespace

void AddAttachCommand(Options* app, Status* status) {
  auto arguments = std::make_shared<AttachArguments>();
  AddMachineOptions(app, &arguments->machine);
  app->Add("--host", &arguments->host,
           "In place of a guest: the machine that this runs on, while it runs, as --keep kernel "
           "does; "
           "for root")
      .Excludes("--qmp")
      .Excludes("--pid");
  AddArchiveOptions(app, &arguments->archive);
  app->Add("--then", &arguments->then,
           "What becomes of the machine: it goes on (one that was paused stays paused), or "
           "QEMU ends")
      .TypeName("resume|quit")
      .OneOf({"resume", "quit"})
      .ShowDefault();
  app->Add("--trigger", &arguments->reason, "Why it is captured, kept in the archive")
      .TypeName("TEXT")
      .ShowDefault();
  app->OnChosen([arguments, status] { *status = Attach(*arguments); });
}

}  // namespace ktstr
