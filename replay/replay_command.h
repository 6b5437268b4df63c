// The subcommands of ktstr-replay.
#pragma once

#include <CLI/CLI.hpp>

#include "ktstr/base/result.h"

namespace ktstr {

// Each adds itself to `app`; how it ended is in `result` when CLI11 has run it.
void AddOpsCommand(CLI::App* app, Result<ExitCode>* result);  // "ops"

}  // namespace ktstr
