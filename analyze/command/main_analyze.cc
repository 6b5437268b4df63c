// ktstr-analyze: asks an archive what was going on.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/command/command.h"
#include "analyze/text/output.h"
#include "analyze/text/pager.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/nearest_word.h"
#include "libcore/base/output.h"
#include "libcore/base/program.h"
#include "libcore/base/safe_text.h"
#include "libcore/cli/completion.h"
#include "libcore/cli/parse.h"

namespace ktstr {
namespace {

int Report(const Error& error) {
  fmt::print(stderr, "ktstr-analyze: {}\n", SafeText(error.ToString()));
  return static_cast<int>(ExitCodeFor(error.code()));
}

void AddCommonOptions(Options& app, CommonArguments& arguments, std::string* memory) {
  app.Add("FILE", &arguments.archive, "The archive, or a dump (vmcore), which is imported")
      .TypeName("")
      .Files(".kts");
  app.Add("--live", &arguments.live,
          "Ask the machine that this runs on, while it runs, in place of FILE; for root");
  app.Add("--json", &arguments.json, "JSON, with all columns");
  app.Add("--no-index", &arguments.no_index, "Answer without reading or writing an index");
  app.Add("--accept-damage", &arguments.accept_damage,
          "Show also what lacks something because the archive is damaged");
  app.Add("--vmlinux", &arguments.kernel.vmlinux,
          "Take symbols and types from this file, not from the guest's memory (implies --no-index)")
      .Files();
  app.Add("--kernel-instance", &arguments.kernel.instance,
          "Ask that one of the kernels in memory, where there are several (table kernel); 1, the "
          "one that runs, is asked else")
      .TypeName("N");
  app.Add("--memory", memory,
          "Keep at most that much of the guest's pages decompressed, of all archives together")
      .TypeName("SIZE")
      .ShowDefault();
}

void AddCommands(Options& app, Command* chosen) {
  AddQuestionCommands(&app, chosen);
  AddReportCommand(&app, chosen);
  AddPerfettoCommand(&app, chosen);
  AddDiffCommand(&app, chosen);
  AddSqlCommand(&app, chosen);
  AddShellCommand(&app, chosen);
  AddCheckCommand(&app, chosen);
  AddCorpusCommand(&app, chosen);
  AddExportCommand(&app, chosen);
  AddCompletion(&app, "What makes a shell complete these words (needs no FILE)");
}

// A word too many is usually a subcommand that is not there.
int ReportUnknownWord(const Options& app, const ParsedWords& parsed) {
  const std::string& word = parsed.extra[0];
  if (parsed.names_subcommand) {
    return Report(
        Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is one word too many", word)));
  }
  const std::vector<std::string> names = app.SubcommandNames();
  const std::vector<std::string_view> known(names.begin(), names.end());
  return Report(Error(ErrorCode::kInvalidArgument, UnknownWord("subcommand", word, known)));
}

int Run(const CommonArguments& arguments, const Command& command) {
  Session session(arguments);
  auto answer = command(session);
  if (answer) {
    if (const Status settled = session.Settle(); !settled) answer = Fail(settled.error());
  }
  if (!answer) {
    const int code = Report(answer.error());
    if (answer.error().code() == ErrorCode::kInterrupted) EndAsInterrupted();
    return code;
  }
  const std::string text = session.json() ? EscapeControls(*answer) : *answer;
  if (!ShownInPager(text)) {
    if (const Status written = Output::Standard().Write(text); !written) {
      return Report(written.error());
    }
  }
  fmt::print(stderr, "{}", session.TakeNotes());
  return static_cast<int>(session.exit_code());
}

int Main(int argc, char** argv) {
  Options app(
      "ktstr-analyze",
      "Asks a frozen machine (.kts) what was going on.\n"
      "The first question about an archive builds its index (FILE.index beside it, or in the "
      "user's\n"
      "cache directory); later ones only read that.");
  CommonArguments arguments;
  std::string memory = SnapshotMemoryOptions::kDefaultSize;
  AddCommonOptions(app, arguments, &memory);
  app.AddVersion("--version", "ktstr-analyze " KTSTR_VERSION);
  app.UnderstandBehindSubcommands();
  app.SetSubcommandNeed(SubcommandNeed::kOptional);
  Command chosen;
  AddCommands(app, &chosen);
  app.SetFooter(
      "Examples:\n"
      "  ktstr-analyze demo.kts\n"
      "  ktstr-analyze demo.kts report\n"
      "  ktstr-analyze before.kts diff after.kts\n"
      "  ktstr-analyze demo.kts tasks --json\n"
      "  ktstr-analyze demo.kts print task_struct init_task se.vruntime\n"
      "  ktstr-analyze --live dump\n"
      "  ktstr-analyze demo.kts sql \"SELECT comm, cpu FROM task WHERE state = 'R'\"\n\n"
      "Exit codes: 0 answered, 1 the answer is no (check, diff, corpus), 2 wrong usage or SQL, 3 "
      "the\n"
      "archive cannot be used, 4 the system refused.");
  app.SetManual(AnalyzeManual);
  const ParsedWords parsed = ParseProgramWords(app, argc, argv);
  if (!parsed.extra.empty() && !parsed.extra[0].starts_with('-')) {
    return ReportUnknownWord(app, parsed);
  }
  if (parsed.kind != ParsedWords::Kind::kChosen) return PrintParsed(parsed);
  const auto options = SnapshotMemoryOptions::OfSize(memory);
  if (!options) return Report(options.error());
  arguments.memory = *options;
  return Run(arguments, chosen);
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  return ktstr::RunProgram("ktstr-analyze", argc, argv, ktstr::Main);
}
