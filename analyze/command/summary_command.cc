// ktstr-analyze FILE: one screen that says what the machine was doing.
#include "analyze/command/command.h"
#include "analyze/text/output.h"
#include "analyze/text/summary.h"

namespace ktstr {

Command SummaryCommand() {
  return [](Session& session) -> Result<std::string> {
    const Database* index = KTSTR_TRY(session.Index());
    return session.json() ? SummaryJson(*index)
                          : SummaryText(*index, session.Name(), TerminalWidth());
  };
}

}  // namespace ktstr
