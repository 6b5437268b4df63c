// ktstr-capture: freezes a running guest and keeps it in a file.

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "ktstr/base/process.h"
#include "ktstr/capture/capture_command.h"

namespace ktstr {
namespace {

int Main(int argc, char** argv) {
  CLI::App app(
      "Freezes a running guest and keeps the whole machine in one file (.kts), which\n"
      "ktstr-analyze and ktstr-replay read. The guest's RAM must be shared with us: start QEMU "
      "with\n"
      "  -object memory-backend-memfd,id=ram,size=SIZE,share=on -machine ...,memory-backend=ram\n"
      "or let 'ktstr-capture boot' start a guest.",
      "ktstr-capture");
  auto formatter = std::make_shared<PlainFormatter>();
  formatter->column_width(26);
  app.formatter(formatter);
  app.set_version_flag("--version", "ktstr-capture " KTSTR_VERSION);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(
      "Exit codes: 0 done, 1 a batch of operations failed, 2 wrong usage, 3 the input can't be\n"
      "used, 4 the machine or its environment failed.");
  Status status;
  AddAttachCommand(&app, &status);
  AddBootCommand(&app, &status);
  ExitCode exit_code = ExitCode::kDone;
  AddOpsCommand(&app, &status, &exit_code);
  AddWatchCommand(&app, &status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  if (status) return static_cast<int>(exit_code);
  fmt::print(stderr, "ktstr-capture: {}\n", status.error().ToString());
  return static_cast<int>(ExitCodeFor(status.error().code()));
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) {
  ktstr::ReportRefusedWrites();
  return ktstr::Main(argc, argv);
}
