// ktstr-analyze: asks an archive what was going on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/interrupt.h"
#include "ktstr/analyze/output.h"
#include "ktstr/base/nearest_word.h"
#include "ktstr/base/process.h"
#include "ktstr/base/safe_text.h"

namespace ktstr {
namespace {

int Report(const Error& error) {
  fmt::print(stderr, "ktstr-analyze: {}\n", SafeText(error.ToString()));
  return static_cast<int>(ExitCodeFor(error.code()));
}

void AddCommonOptions(CLI::App& app, CommonArguments& arguments) {
  app.add_option("FILE", arguments.archive, "The archive")->type_name("");
  app.add_flag("--json", arguments.json, "JSON, with all columns");
  app.add_flag("--no-index", arguments.no_index, "Answer without reading or writing an index");
  app.add_flag("--accept-damage", arguments.accept_damage,
               "Show what can still be read of a damaged archive (implies --no-index)");
  app.add_option(
      "--vmlinux", arguments.vmlinux,
      "Take symbols and types from this file, not from the guest's memory (implies --no-index)");
}

void AddCommands(CLI::App& app, Command* chosen) {
  AddQuestionCommands(&app, chosen);
  AddReportCommand(&app, chosen);
  AddDiffCommand(&app, chosen);
  AddSqlCommand(&app, chosen);
  AddShellCommand(&app, chosen);
  AddCheckCommand(&app, chosen);
  AddCorpusCommand(&app, chosen);
  AddExportCommand(&app, chosen);
  AddCompletionCommand(&app, chosen);
}

// A word too many is usually a subcommand that is not there.
int ReportUnknownWord(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> words = app.remaining(true);
  if (words.empty() || words[0].starts_with('-')) {
    app.exit(error);
    return static_cast<int>(ExitCode::kUsage);
  }
  std::vector<std::string_view> names;
  std::vector<std::string> owned;
  for (const CLI::App* command : app.get_subcommands(nullptr)) owned.push_back(command->get_name());
  names.assign(owned.begin(), owned.end());
  return Report(
      Error(ErrorCode::kInvalidArgument, app.get_subcommands().empty()
                                             ? UnknownWord("subcommand", words[0], names)
                                             : fmt::format("'{}' is one word too many", words[0])));
}

int Run(const CommonArguments& arguments, const Command& command) {
  Session session(arguments);
  const auto answer = command(session);
  if (!answer) {
    const int code = Report(answer.error());
    if (answer.error().code() == ErrorCode::kInterrupted) EndAsInterrupted();
    return code;
  }
  const std::string text = session.json() ? EscapeControls(*answer) : *answer;
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) {
    return Report(Error(ErrorCode::kIo, "writing to standard output failed"));
  }
  fmt::print(stderr, "{}", session.TakeNotes());
  return static_cast<int>(session.exit_code());
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Asks a frozen machine (.kts) what was going on.\n"
      "The first question about an archive builds its index (FILE.index beside it, or in the "
      "user's\n"
      "cache directory); later ones only read that.",
      "ktstr-analyze"};
  CommonArguments arguments;
  AddCommonOptions(app, arguments);
  app.set_version_flag("--version", std::string("ktstr-analyze ") + KTSTR_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(24);
  app.failure_message(CLI::FailureMessage::simple);
  Command chosen;
  AddCommands(app, &chosen);
  // Behind them: they would have it, too.
  app.footer(
      "Examples:\n"
      "  ktstr-analyze demo.kts\n"
      "  ktstr-analyze demo.kts report\n"
      "  ktstr-analyze before.kts diff after.kts\n"
      "  ktstr-analyze demo.kts tasks --json\n"
      "  ktstr-analyze demo.kts print task_struct init_task se.vruntime\n"
      "  ktstr-analyze demo.kts sql \"SELECT comm, cpu FROM task WHERE state = 'R'\"\n\n"
      "Exit codes: 0 answered, 1 the answer is no (check, diff, corpus), 2 wrong usage or SQL, 3 the\n"
      "archive cannot be used, 4 the system refused.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    return ReportUnknownWord(app, error);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return static_cast<int>(code == 0 ? ExitCode::kDone : ExitCode::kUsage);
  }
  return Run(arguments, chosen);
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  ktstr::ReportRefusedWrites();
  return ktstr::Main(argc, argv);
}
