// ktstr-analyze FILE report [-o OUT.html]
#include <fmt/format.h>

#include <filesystem>

#include "analyze/command/command.h"
#include "analyze/html/html_report.h"
#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

// Beside the archive, with .html in place of .kts.
fs::path DefaultOutput(const Session& session) {
  fs::path output = session.arguments().live ? "live.kts" : session.arguments().archive;
  return output.replace_extension(".html");
}

Result<std::string> Report(Session& session, const std::string& output) {
  const std::string archive = session.Name();
  const Database* index = KTSTR_TRY(session.Index());
  std::string page = KTSTR_TRY(HtmlReport(*index, archive));
  KTSTR_TRY(session.Settle());
  if (output == "-") return page;
  const fs::path path = output.empty() ? DefaultOutput(session) : fs::path(output);
  std::error_code ignored;
  if (fs::equivalent(path, archive, ignored)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is the archive itself; name another file with -o", path.string()));
  }
  KTSTR_TRY(WriteTextFile(path, page));
  return SafeText(path.string()) + "\n";
}

void DeclareReport(Options* report, Command* chosen) {
  auto output = std::make_shared<std::string>();
  report->Add("-o,--output", output.get(), "The file to write; - is standard output")
      .TypeName("OUT");
  report->SetFooter(
      "The file is FILE with .html in place of .kts where no other is named (live.html with "
      "--live); an "
      "older\nreport of that name is replaced. It needs no network and no other file.");
  report->OnChosen([chosen, output] {
    *chosen = [output](Session& session) { return Report(session, *output); };
  });
}

}  // namespace

void AddReportCommand(Options* app, Command* chosen) {
  app->AddSubcommand(
      "report", "One HTML file of everything: findings, a picture of the machine, tables, stacks",
      [chosen](Options* report) { DeclareReport(report, chosen); });
}

}  // namespace ktstr
