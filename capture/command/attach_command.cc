// ktstr-capture --qmp SOCKET -o FILE: captures a machine that runs already.

#include "capture/command/capture_command.h"

namespace ktstr {

namespace {

struct AttachArguments {
  ArchiveArguments archive;
  std::string qmp;
  std::string then = "resume";
  std::string reason = "manual";
  pid_t pid = 0;
};

Status Attach(const AttachArguments& arguments) {
  for (const auto& [value, option] :
       {std::pair(&arguments.qmp, "--qmp"), std::pair(&arguments.archive.output, "-o")}) {
    if (value->empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  std::string(option) + " is missing (see ktstr-capture --help)");
    }
  }
  KTSTR_TRY(CheckOutput(arguments.archive.output, arguments.archive.force));
  const auto qmp = KTSTR_TRY(QmpClient::Connect(arguments.qmp));
  CaptureOptions options;
  options.then = arguments.then == "quit" ? AfterCapture::kQuit : AfterCapture::kResume;
  options.trigger = arguments.reason;
  options.pid = arguments.pid;
  return RunCapture(*qmp, arguments.archive, std::move(options));
}

}  // namespace

void AddAttachCommand(Options* app, Status* status) {
  auto arguments = std::make_shared<AttachArguments>();
  app->Add("--qmp", &arguments->qmp, "QEMU's QMP socket (-qmp unix:SOCKET,server=on,wait=off)")
      .TypeName("SOCKET");
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
  app->Add("--pid", &arguments->pid, "QEMU's process, where it is not the one that owns the socket")
      .TypeName("PID");
  app->OnChosen([arguments, status] { *status = Attach(*arguments); });
}

}  // namespace ktstr
