// ktstr-analyze FILE export-db OUT
#include <fmt/format.h>

#include <filesystem>

#include "analyze/command/command.h"
#include "libcore/base/output_place.h"

namespace ktstr {

namespace {

struct ExportArguments {
  std::string output;
  bool force = false;
};

Result<std::string> Export(Session& session, const ExportArguments& arguments) {
  if (!arguments.force) {
    KTSTR_TRY(CheckNothingAt(arguments.output, "overwrite it with --force"));
  }
  const Database* index = KTSTR_TRY(session.Index());
  KTSTR_TRY(session.Settle(Session::Scope::kAll));
  KTSTR_TRY(index->CopyTo(arguments.output));
  return std::string();
}

void DeclareCommand(Options* command, Command* chosen) {
  auto arguments = std::make_shared<ExportArguments>();
  command->Add("OUT", &arguments->output, "The file to write").Required().TypeName("");
  command->Add("-f,--force", &arguments->force, "Overwrite OUT if it exists");
  command->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Export(session, *arguments); };
  });
}

}  // namespace

void AddExportCommand(Options* app, Command* chosen) {
  app->AddSubcommand("export-db", "All tables and views as a SQLite file that any client can read",
                     [chosen](Options* command) { DeclareCommand(command, chosen); });
}

}  // namespace ktstr
