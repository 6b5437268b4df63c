// ktstr-analyze FILE shell
#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/shell/shell.h"

namespace ktstr {

void AddShellCommand(CLI::App* app, Command* chosen) {
  CLI::App* shell = app->add_subcommand(
      "shell", "SQL line by line, with completion and history; from a pipe: all of it");
  shell->footer(
      "A statement ends with ';'. Lines that begin with a dot are commands, .help lists them. "
      "Ctrl-C\n"
      "ends a query or drops what is being typed, Ctrl-D ends the shell. From a pipe the exit "
      "code\n"
      "is 2 when a statement failed; the others are still run.\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts shell\n"
      "  echo \"SELECT count(*) FROM task;\" | ktstr-analyze demo.kts shell");
  shell->callback([chosen] { *chosen = RunShell; });
}

}  // namespace ktstr
