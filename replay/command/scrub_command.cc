// ktstr-replay scrub ARCHIVE NEW.kts: an archive that can be given away.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "libcore/base/output.h"
#include "libcore/base/output_place.h"
#include "libcore/base/safe_text.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"
#include "replay/scrub.h"

namespace ktstr {

namespace {

struct ScrubArguments {
  std::string archive, output;
  std::vector<std::string> symbols;
  std::string memory = SnapshotMemoryOptions::kSizeForOnce;
};

Result<ExitCode> Run(const ScrubArguments& arguments) {
  const auto memory = KTSTR_TRY(SnapshotMemoryOptions::OfSize(arguments.memory));
  KTSTR_TRY(CheckNothingAt(arguments.output));
  const auto machine =
      KTSTR_TRY(FrozenMachine::Open(arguments.archive, FrozenMachine::Damage::kRefuse, memory));
  const ScrubSummary summary =
      KTSTR_TRY(ScrubMachine(*machine, arguments.output, arguments.symbols));
  std::string left_out;
  for (const auto& [reason, pages] : summary.archive.left_out_pages) {
    left_out +=
        fmt::format("{}{} {}", left_out.empty() ? "" : ", ", pages, LeftOutReasonName(reason));
  }
  KTSTR_TRY(Output::Standard().Write(
      fmt::format("{}: {} pages left out ({}), among them those of {} pieces of keys; device state "
                  "and QEMU's command line are out, too\n",
                  SafeText(arguments.output), summary.archive.left_out(), left_out, summary.keys)));
  return ExitCode::kDone;
}

void DeclareScrub(Options* scrub, Result<ExitCode>* result) {
  auto arguments = std::make_shared<ScrubArguments>();
  scrub->Add("ARCHIVE", &arguments->archive, "The frozen machine, which is not changed")
      .Required()
      .TypeName("")
      .Files(".kts");
  scrub->Add("NEW", &arguments->output, "The archive to write").Required().TypeName("");
  scrub
      ->Add("--symbol", &arguments->symbols,
            "Leave out the pages of this kernel variable as well; may be repeated")
      .TypeName("NAME")
      .OneEach();
  AddMemoryOption(scrub, &arguments->memory);
  scrub->SetFooter(
      "Left out are pages of user space, contents of files, free pages, and the pages that hold a\n"
      "key of the kernel's keyrings. What the kernel itself has copied of its users' data stays:\n"
      "names of tasks, its log, what stands in pipes and sockets; so do the registers. NEW cannot "
      "be\n"
      "woken (resume).\n\n"
      "Exit codes: 0 written, 2 wrong usage, 3 whose pages are whose cannot be told, 4 the system\n"
      "refused.");
  scrub->OnChosen([arguments, result] { *result = Run(*arguments); });
}

}  // namespace

void AddScrubCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("scrub",
                     "Makes an archive that can be given away: without user space, files and keys",
                     [result](Options* scrub) { DeclareScrub(scrub, result); });
}

}  // namespace ktstr
