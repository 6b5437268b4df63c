// ktstr-analyze FILE perfetto [OTHER…] [-o OUT.pftrace]
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "analyze/command/command.h"
#include "analyze/perfetto/perfetto.h"
#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

struct PerfettoArguments {
  std::vector<std::string> others;
  std::string output;
};

// The first archive's name, with .pftrace in place of .kts.
fs::path PerfettoDefaultOutput(const fs::path& archive) {
  fs::path output = archive;
  return output.replace_extension(".pftrace");
}

Result<std::string> Perfetto(Session& session, const PerfettoArguments& arguments) {
  std::vector<std::string> archives = {session.arguments().archive};
  archives.insert(archives.end(), arguments.others.begin(), arguments.others.end());
  if (archives.front().empty()) archives.erase(archives.begin());
  const fs::path path = arguments.output.empty() && !archives.empty()
                            ? PerfettoDefaultOutput(archives.front())
                            : fs::path(arguments.output);
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<PerfettoState> states;
  for (const std::string& archive : archives) {
    std::error_code ignored;
    if (fs::equivalent(path, archive, ignored)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is one of the archives; name another file with -o",
                              SafeText(path.string())));
    }
    CommonArguments own = session.arguments();
    own.archive = archive;
    sessions.push_back(std::make_unique<Session>(own));
    states.push_back({SafeText(archive), KTSTR_TRY(sessions.back()->Index())});
  }
  if (states.empty()) return Fail(ErrorCode::kInvalidArgument, "no archive is named");
  PerfettoTrace trace = KTSTR_TRY(MakePerfettoTrace(states));
  for (const auto& one : sessions) {
    KTSTR_TRY(one->Settle());
    session.TakeOver(*one);
  }
  if (trace.without_time != 0) {
    session.Note(fmt::format(
        "{} trace events are left out: their clock cannot be compared with the kernel log's",
        trace.without_time));
  }
  if (arguments.output == "-") return std::move(trace.bytes);
  KTSTR_TRY(WriteTextFile(path, trace.bytes));
  return SafeText(path.string()) + "\n";
}

void DeclarePerfetto(Options* perfetto, Command* chosen) {
  auto arguments = std::make_shared<PerfettoArguments>();
  perfetto->Add("OTHER", &arguments->others, "More archives of the same boot: a series")
      .TypeName("")
      .Files(".kts");
  perfetto->Add("-o,--output", &arguments->output, "The file to write; - is standard output")
      .TypeName("OUT");
  perfetto->SetFooter(
      "For https://ui.perfetto.dev and Perfetto's trace processor: who ran and who woke whom, from "
      "the kernel's trace\nbuffers where tracing was on, every other event of theirs, the kernel "
      "log, findings, who waited to run at the\nfreeze and since when, and how long queues were. "
      "The file is FILE with .pftrace in place of .kts where no\nother is named; an older one of "
      "that name is replaced. Times are those of the kernel log.");
  perfetto->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Perfetto(session, *arguments); };
  });
}

}  // namespace

void AddPerfettoCommand(Options* app, Command* chosen) {
  app->AddSubcommand("perfetto", "A trace for Perfetto: the kernel's trace, its log, findings",
                     [chosen](Options* perfetto) { DeclarePerfetto(perfetto, chosen); });
}

}  // namespace ktstr
