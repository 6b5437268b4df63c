// The subcommands of ktstr-replay.
#pragma once

#include <memory>
#include <string>

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

// Opens an archive whose metadata or registers may be damaged, where that is accepted: what is lost
// is told on standard error, and `lost` is true. Errors: those of FrozenMachine::Open.
Result<std::unique_ptr<FrozenMachine>> OpenAcceptingDamage(const std::string& path,
                                                           bool accepts_damage,
                                                           SnapshotMemoryOptions memory,
                                                           bool* lost);
// The option that says so.
void AddAcceptDamage(Options* command, bool* accepts_damage);
// The option that bounds the memory for decompressed pages; SnapshotMemoryOptions::OfSize reads it.
void AddMemoryOption(Options* command, std::string* size);

}  // namespace ktstr
