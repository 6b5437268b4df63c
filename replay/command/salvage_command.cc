// ktstr-replay salvage DAMAGED NEW.kts: a whole archive of what is left of a damaged one.

#include <fmt/format.h>

#include <memory>
#include <string>

#include "libcore/archive/salvage.h"
#include "libcore/archive/writer.h"
#include "libcore/base/output.h"
#include "libcore/base/output_place.h"
#include "libcore/base/safe_text.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"

namespace ktstr {

namespace {

struct SalvageArguments {
  std::string damaged, output;
  std::string memory = SnapshotMemoryOptions::kSizeForOnce;
};

// What the new archive lacks beside pages.
std::string Missing(const Salvaged& salvaged) {
  std::string missing;
  const auto add = [&missing](bool lost, const char* what) {
    if (lost) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", what);
  };
  add(!salvaged.vcpus, "vCPU registers");
  add(!salvaged.metadata, "metadata");
  add(!salvaged.device_state, "device state");
  add(!salvaged.regions_known, "the extent of memory");
  return missing;
}

std::string Frames(const Salvaged& salvaged) {
  if (!salvaged.lost_frames) return fmt::format("{} memory frames", salvaged.frames);
  return fmt::format("{} of {} memory frames", salvaged.frames,
                     salvaged.frames + *salvaged.lost_frames);
}

Result<ExitCode> Run(const SalvageArguments& arguments) {
  const auto memory = KTSTR_TRY(SnapshotMemoryOptions::OfSize(arguments.memory));
  KTSTR_TRY(CheckNothingAt(arguments.output));
  const Salvaged salvaged = KTSTR_TRY(SalvageArchive(arguments.damaged, memory.cache_bytes));
  const std::string missing = Missing(salvaged);
  std::string account = Frames(salvaged);
  if (!missing.empty()) account += "; lost: " + missing;
  ArchiveContents contents = {
      .memory = *salvaged.memory,
      .vcpus = salvaged.vcpus ? std::span(*salvaged.vcpus) : std::span<const VcpuRegisters>(),
      .device_state = {},
      .metadata = salvaged.metadata.value_or(ArchiveMetadata())};
  if (salvaged.device_state) contents.device_state = *salvaged.device_state;
  contents.metadata.parent_digest = salvaged.digest;
  contents.metadata.tags["salvaged"] = account;
  // What it says that it has it must have.
  ArchiveWriteOptions options;
  options.accept = [&salvaged](const std::string&) -> Result<bool> {
    KTSTR_TRY(salvaged.check_reads());
    return true;
  };
  const auto written = KTSTR_TRY(WriteArchive(arguments.output, contents, options));
  KTSTR_TRY(Output::Standard().Write(fmt::format(
      "{}: {}; {} pages are lost\n", SafeText(arguments.output), account, written.damaged_pages)));
  return ExitCode::kDone;
}

void DeclareSalvage(Options* salvage, Result<ExitCode>* result) {
  auto arguments = std::make_shared<SalvageArguments>();
  salvage->Add("ARCHIVE", &arguments->damaged, "The damaged archive, which is not changed")
      .Required()
      .TypeName("")
      .Files(".kts");
  salvage->Add("NEW", &arguments->output, "The archive to write").Required().TypeName("");
  AddMemoryOption(salvage, &arguments->memory);
  salvage->SetFooter(
      "Every memory frame that is intact is recovered, also of an archive that is cut off. Pages\n"
      "that are lost are 'damaged' in NEW: what needs them says so. NEW has the tag 'salvaged',\n"
      "which says what it has.\n\n"
      "Exit codes: 0 written, 2 wrong usage, 3 nothing of an archive is left, 4 the system "
      "refused.");
  salvage->OnChosen([arguments, result] { *result = Run(*arguments); });
}

}  // namespace

void AddSalvageCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("salvage", "Recovers what is intact of a damaged archive, into a new one",
                     [result](Options* salvage) { DeclareSalvage(salvage, result); });
}

}  // namespace ktstr
