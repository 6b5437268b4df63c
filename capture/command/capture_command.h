// What the subcommands of ktstr-capture share: the options of an archive, and writing one.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

#include "capture/capture.h"
#include "libcore/base/result.h"
#include "libcore/cli/options.h"

namespace ktstr {

// The options on an archive to write, as given.
struct ArchiveArguments {
  std::string output;
  bool force = false;
  std::string keep = "all";
  int level = kKernelPagesLevel;
  std::vector<std::string> tags;
};

// Which running machine, as given.
struct MachineArguments {
  std::string qmp;
  pid_t pid = 0;  // 0: the process at the other end
  std::string timeout = "10s";
};

// What help of ktstr-capture, and of those subcommands that do not say it themselves, ends with.
inline constexpr char kProgramFooter[] =
    "Exit codes: 0 done, 1 a batch of operations failed, 2 wrong usage, 3 the input can't be\n"
    "used, 4 the machine or its environment failed.";

// Adds --qmp, --pid and --timeout.
void AddMachineOptions(Options* app, MachineArguments* arguments);

// Adds --kernel-instance, of which the value is 1 until it is given.
void AddKernelInstance(Options* app, size_t* instance);

// A connection to that machine's monitor: by its socket, else by what the command line of its
// process says. Errors: kInvalidArgument when neither is named, or of the time-out; those of
// MonitorOfProcess and QmpClient::Connect.
Result<std::unique_ptr<QmpClient>> Connect(const MachineArguments& arguments);

// Adds -o, --force, --keep, --level and --tag.
void AddArchiveOptions(Options* app, ArchiveArguments* arguments);

// Captures with a progress bar; Ctrl-C and SIGTERM stop it and let the guest go on. Prints the
// summary line and the warnings. Errors: as Capture; kInvalidArgument for a malformed tag.
Status RunCapture(QmpClient& qmp, const ArchiveArguments& arguments, CaptureOptions options);

// The same for the machine that this runs on: its kernel's pages, while it runs. Errors: as
// CaptureHost.
Status RunCaptureHost(const ArchiveArguments& arguments, CaptureOptions options);

// The same for a guest that stands still, and goes on standing still. The summary goes to standard
// error: the caller has another answer.
Status RunCaptureFrozen(Frozen& frozen, const ArchiveArguments& arguments, CaptureOptions options);

// The signals that only ask for the end while a guest is frozen (InterruptGuard): nobody dies and
// leaves it so.
inline constexpr auto kEndingSignals = {SIGINT, SIGTERM};

// The subcommands. Each adds itself to `app`; its result is in `status` when it was chosen and ran.
void AddAttachCommand(Options* app, Status* status);  // the program's own options: --qmp
void AddBootCommand(Options* app, Status* status);    // "boot"
void AddWatchCommand(Options* app, Status* status);   // "watch"
// "ops"; `exit_code` is kAnswerIsNo when the batch failed.
void AddOpsCommand(Options* app, Status* status, ExitCode* exit_code);

// What the manual page says beyond help.
Manual CaptureManual();

}  // namespace ktstr
