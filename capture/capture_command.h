// What the subcommands of ktstr-capture share: the options of an archive, and writing one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "ktstr/base/result.h"
#include "ktstr/capture/capture.h"

namespace ktstr {

// The options on an archive to write, as given.
struct ArchiveArguments {
  std::string output;
  bool force = false;
  std::vector<std::string> tags;
};

// Makes help show an option as "--name TYPE (default: VALUE)".
class PlainFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override;
};

// Adds -o, --force and --tag.
void AddArchiveOptions(CLI::App* app, ArchiveArguments* arguments);

// Captures with a progress bar; Ctrl-C and SIGTERM stop it and let the guest go on. Prints the
// summary line and the warnings. Errors: as Capture; kInvalidArgument for a malformed tag.
Status RunCapture(QmpClient& qmp, const ArchiveArguments& arguments, CaptureOptions options);

// The subcommands. Each adds itself to `app`; its result is in `status` when CLI11 has run it.
void AddAttachCommand(CLI::App* app, Status* status);  // the program's own options: --qmp
void AddBootCommand(CLI::App* app, Status* status);    // "boot"

}  // namespace ktstr
