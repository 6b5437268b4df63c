// ktstr-replay: works with a frozen machine beyond looking at it.

#include <fmt/format.h>

#include "libcore/base/interrupt_guard.h"
#include "libcore/base/program.h"
#include "libcore/cli/completion.h"
#include "libcore/cli/parse.h"
#include "replay/command/replay_command.h"

namespace ktstr {
namespace {

int Main(int argc, char** argv) {
  Options app("ktstr-replay",
              "Works with a frozen machine (.kts): asks its kernel's memory, changes copies, and "
              "wakes it.");
  app.AddVersion("--version", "ktstr-replay " KTSTR_VERSION);
  app.SetSubcommandNeed(SubcommandNeed::kRequired);
  app.SetFooter(
      "Exit codes: 0 done, 1 the answer is \"no\" or a batch failed, 2 wrong usage, 3 the input\n"
      "can't be used, 4 the machine or its environment failed.");
  app.SetManual(ReplayManual);
  Result<ExitCode> result = ExitCode::kDone;
  AddOpsCommand(&app, &result);
  AddResumeCommand(&app, &result);
  AddWhatIfCommand(&app, &result);
  AddGdbCommand(&app, &result);
  AddSymbolsCommand(&app, &result);
  AddVerifyCommand(&app, &result);
  AddSalvageCommand(&app, &result);
  AddScrubCommand(&app, &result);
  AddExportCommand(&app, &result);
  AddImportCommand(&app, &result);
  AddCompletion(&app);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  if (result) return static_cast<int>(*result);
  if (result.error().code() == ErrorCode::kInterrupted) EndAsInterrupted();
  fmt::print(stderr, "ktstr-replay: {}\n", result.error().ToString());
  return static_cast<int>(ExitCodeFor(result.error().code()));
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  return ktstr::RunProgram("ktstr-replay", argc, argv, ktstr::Main);
}
