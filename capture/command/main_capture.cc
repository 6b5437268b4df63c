// ktstr-capture: freezes a running guest and keeps it in a file.

#include <fmt/format.h>

#include "capture/command/capture_command.h"
#include "libcore/base/program.h"
#include "libcore/cli/completion.h"
#include "libcore/cli/parse.h"

namespace ktstr {
namespace {

int Main(int argc, char** argv) {
  Options app(
      "ktstr-capture",
      "Freezes a running guest and keeps the whole machine in one file (.kts), which\n"
      "ktstr-analyze and ktstr-replay read: any guest of QEMU's, or one that 'ktstr-capture\n"
      "boot' starts.");
  app.SetHelpStyle({.column = 26, .plain = true});
  app.AddVersion("--version", "ktstr-capture " KTSTR_VERSION);
  app.SetSubcommandNeed(SubcommandNeed::kOptional);
  app.SetFooter(kProgramFooter);
  app.SetManual(CaptureManual);
  Status status;
  AddAttachCommand(&app, &status);
  AddBootCommand(&app, &status);
  ExitCode exit_code = ExitCode::kDone;
  AddOpsCommand(&app, &status, &exit_code);
  AddWatchCommand(&app, &status);
  AddCompletion(&app);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  if (status) return static_cast<int>(exit_code);
  fmt::print(stderr, "ktstr-capture: {}\n", status.error().ToString());
  return static_cast<int>(ExitCodeFor(status.error().code()));
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  return ktstr::RunProgram("ktstr-capture", argc, argv, ktstr::Main);
}
