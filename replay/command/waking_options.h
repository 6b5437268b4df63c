// What resume and what-if have in common: the options of a command that wakes a machine.
#pragma once

#include <string>

#include "capture/run/woken_run.h"
#include "libcore/base/result.h"
#include "libcore/cli/options.h"

namespace ktstr {

struct WakingArguments {
  std::string archive, run_for, until, qemu, accelerator = "auto";
  bool with_disks = false, any_cpu = false;
};

// Adds ARCHIVE, --for, --until.
void AddRunOptions(Options* command, WakingArguments* arguments);
// Adds --disks, --qemu, --accel.
void AddQemuOptions(Options* command, WakingArguments* arguments);

// Errors: kInvalidArgument.
Result<RunOnPlan> PlanOf(const WakingArguments& arguments);
WakeOptions WakeOptionsOf(const WakingArguments& arguments);

// Ctrl-C from now on, for the process's lifetime. Errors: kIo.
Result<const Interrupt*> InterruptOfProcess();

// A line on standard error.
void TellStep(const std::string& line);
// "woke ARCHIVE on QEMU 7.2.22 (TCG) in 0.3 s", and what is not as it was.
void TellWoken(const WokenRun& run, const std::string& archive,
               std::chrono::steady_clock::time_point begun);
// Why the run ended, unless its time was over.
void TellEnd(const RunOnEnd& end);

}  // namespace ktstr
