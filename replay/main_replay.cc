// ktstr-replay: works with a frozen machine beyond looking at it.

#include <fmt/format.h>

#include "ktstr/base/process.h"
#include "ktstr/replay/replay_command.h"

namespace ktstr {
namespace {

int Main(int argc, char** argv) {
  CLI::App app("Works with a frozen machine (.kts): asks its kernel's memory, and changes copies.",
               "ktstr-replay");
  app.set_version_flag("--version", "ktstr-replay " KTSTR_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(24);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(
      "Exit codes: 0 done, 1 the answer is \"no\" or a batch failed, 2 wrong usage, 3 the input\n"
      "can't be used, 4 the machine or its environment failed.");
  Result<ExitCode> result = ExitCode::kDone;
  AddOpsCommand(&app, &result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  if (result) return static_cast<int>(*result);
  fmt::print(stderr, "ktstr-replay: {}\n", result.error().ToString());
  return static_cast<int>(ExitCodeFor(result.error().code()));
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  ktstr::ReportRefusedWrites();
  return ktstr::Main(argc, argv);
}
