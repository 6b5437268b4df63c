// The subcommands of ktstr-replay.
#pragma once

#include "libcore/base/result.h"
#include "libcore/cli/options.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// Each adds itself to `app`; how it ended is in `result` when it was chosen and ran.
void AddOpsCommand(Options* app, Result<ExitCode>* result);      // "ops"
void AddGdbCommand(Options* app, Result<ExitCode>* result);      // "gdb"
void AddSymbolsCommand(Options* app, Result<ExitCode>* result);  // "symbols"
void AddResumeCommand(Options* app, Result<ExitCode>* result);   // "resume"
void AddWhatIfCommand(Options* app, Result<ExitCode>* result);   // "what-if"
void AddVerifyCommand(Options* app, Result<ExitCode>* result);   // "verify"
void AddScrubCommand(Options* app, Result<ExitCode>* result);    // "scrub"
void AddSalvageCommand(Options* app, Result<ExitCode>* result);  // "salvage"
void AddExportCommand(Options* app, Result<ExitCode>* result);   // "export"
void AddImportCommand(Options* app, Result<ExitCode>* result);   // "import"

// What the manual page says beyond help.
Manual ReplayManual();

}  // namespace ktstr
