// ktstr-analyze FILE: one screen that says what the machine was doing.
#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/output.h"
#include "ktstr/analyze/summary.h"

namespace ktstr {

Command SummaryCommand() {
  return [](Session& session) -> Result<std::string> {
    const Database* index = KTSTR_TRY(session.Index());
    return session.json() ? SummaryJson(*index)
                          : SummaryText(*index, session.arguments().archive, TerminalWidth());
  };
}

}  // namespace ktstr
