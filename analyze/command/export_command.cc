// ktstr-analyze FILE export-db OUT
#include <fmt/format.h>

#include <filesystem>

#include "ktstr/analyze/command/command.h"

namespace ktstr {

namespace {

struct ExportArguments {
  std::string output;
  bool force = false;
};

Result<std::string> Export(Session& session, const ExportArguments& arguments) {
  std::error_code ignored;
  if (!arguments.force && std::filesystem::exists(arguments.output, ignored)) {
    return Fail(ErrorCode::kExists,
                fmt::format("{} exists; --force overwrites it", arguments.output));
  }
  const Database* index = KTSTR_TRY(session.Index());
  KTSTR_TRY(index->CopyTo(arguments.output));
  return std::string();
}

}  // namespace

void AddExportCommand(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app->add_subcommand(
      "export-db", "All tables and views as a SQLite file that any client can read");
  command->add_option("OUT", arguments->output, "The file to write")->required()->type_name("");
  command->add_flag("-f,--force", arguments->force, "Overwrite OUT if it exists");
  command->callback([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Export(session, *arguments); };
  });
}

}  // namespace ktstr
