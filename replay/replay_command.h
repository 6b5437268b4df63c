// The subcommands of ktstr-replay.
#pragma once

#include "ktstr/base/result.h"
#include "ktstr/cli/options.h"

namespace ktstr {

// Each adds itself to `app`; how it ended is in `result` when it was chosen and ran.
void AddOpsCommand(Options* app, Result<ExitCode>* result);  // "ops"

}  // namespace ktstr
