// ktstr-analyze FILE findings [--all]
#include <memory>

#include "analyze/command/command.h"
#include "analyze/text/findings_text.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

Result<std::string> Findings(Session& session, bool all) {
  if (session.format() != OutputFormat::kText) {
    return session.Answer("SELECT * FROM finding ORDER BY rank");
  }
  return FindingsText(*KTSTR_TRY(session.Index()), TerminalWidth(),
                      all ? FindingsShown::kAll : FindingsShown::kFolded);
}

}  // namespace

void AddFindingsCommand(Options* app, Command* chosen) {
  app->AddSubcommand("findings", "What happened, who did it, and what follows from it",
                     [chosen](Options* findings) {
                       auto all = std::make_shared<bool>(false);
                       findings->Add("--all", all.get(),
                                     "Also what the findings explain, each below its cause");
                       findings->OnChosen([chosen, all] {
                         *chosen = [all](Session& session) { return Findings(session, *all); };
                       });
                     });
}

}  // namespace ktstr
