// ktstr-analyze FILE shell
#include "analyze/command/command.h"
#include "analyze/shell/shell.h"

namespace ktstr {

namespace {

void DeclareShell(Options* shell, Command* chosen) {
  shell->SetFooter(
      "A statement ends with ';'. Lines that begin with a dot are commands, .help lists them. "
      "Ctrl-C\n"
      "ends a query or drops what is being typed, Ctrl-D ends the shell. From a pipe the exit "
      "code\n"
      "is 2 when a statement failed; the others are still run.\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts shell\n"
      "  echo \"SELECT count(*) FROM task;\" | ktstr-analyze demo.kts shell");
  shell->OnChosen([chosen] { *chosen = RunShell; });
}

}  // namespace

void AddShellCommand(Options* app, Command* chosen) {
  app->AddSubcommand("shell",
                     "SQL line by line, with completion and history; from a pipe: all of it",
                     [chosen](Options* shell) { DeclareShell(shell, chosen); });
}

}  // namespace ktstr
