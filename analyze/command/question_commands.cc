#include "analyze/command/command.h"

namespace ktstr {

void AddQuestionCommands(Options* app, Command* chosen) {
  *chosen = SummaryCommand();
  app->AddSubcommand(
      "summary", "One screen: kernel, machine, what runs where, last log lines (default)",
      [chosen](Options* summary) { summary->OnChosen([chosen] { *chosen = SummaryCommand(); }); });
  AddFindingsCommand(app, chosen);
  AddTableCommands(app, chosen);
  AddStackCommand(app, chosen);
  AddDumpCommand(app, chosen);
  AddBpfCommands(app, chosen);
  AddPrintCommand(app, chosen);
  AddReadCommand(app, chosen);
  AddSymbolCommand(app, chosen);
  AddVcpuCommand(app, chosen);
  AddSchemaCommand(app, chosen);
}

}  // namespace ktstr
