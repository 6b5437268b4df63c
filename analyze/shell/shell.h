// An interactive shell over one archive: statements of SQL and dot-commands, one after the other.
#pragma once

#include <string>

#include "analyze/command/command.h"

namespace ktstr {

// Reads from standard input until its end or ".quit", with a line editor where that is a terminal.
// Answers go to standard output, what went wrong to standard error. From a pipe the session's exit
// code is kUsage when a statement failed. Gives no text. Errors: those of Session::Index;
// kInterrupted (Ctrl-C, while reading from a pipe); kIo (standard output is gone).
Result<std::string> RunShell(Session& session);

}  // namespace ktstr
