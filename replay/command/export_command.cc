// ktstr-replay export ARCHIVE OUT: a frozen machine as a dump that other tools read.

#include <fmt/format.h>

#include <memory>
#include <string>

#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/output_place.h"
#include "libcore/base/progress_bar.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"
#include "replay/vmcore/export.h"

namespace ktstr {

namespace {

struct ExportArguments {
  std::string archive, output;
  std::string format = "elf", compression = "zlib";
  std::string memory = SnapshotMemoryOptions::kSizeForOnce;
  bool force = false;
};

vmcore::ExportOptions OptionsOf(const ExportArguments& arguments) {
  vmcore::ExportOptions options;
  if (arguments.format == "kdump") options.format = vmcore::ExportFormat::kKdump;
  if (arguments.format == "raw") options.format = vmcore::ExportFormat::kRaw;
  if (arguments.compression == "zstd") options.compression = vmcore::PageCompression::kZstd;
  return options;
}

Result<std::unique_ptr<vmcore::ExportTarget>> TargetOf(const ExportArguments& arguments) {
  if (arguments.output != "-") {
    const auto existing =
        arguments.force ? OutputFile::Existing::kReplace : OutputFile::Existing::kKeep;
    return vmcore::ToFile(KTSTR_TRY(OutputFile::Create(arguments.output, existing)));
  }
  Output& output = Output::Standard();
  if (output.is_terminal()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a dump is nothing for a terminal: send it to a file or a pipe");
  }
  // Its descriptors stand before the pages, and are known after them.
  return arguments.format == "kdump" ? vmcore::ToFlattenedStream(output) : vmcore::ToStream(output);
}

std::string Account(const ExportArguments& arguments, const vmcore::ExportSummary& summary,
                    uint64_t written) {
  std::string text = fmt::format(
      "{}: {} as {}, {} pages of which {} are zero",
      arguments.output == "-" ? "standard output" : SafeText(arguments.output), FormatSize(written),
      arguments.format, summary.present_pages + summary.zero_pages, summary.zero_pages);
  if (summary.absent_pages != 0) text += fmt::format("; {} are absent", summary.absent_pages);
  return text + "\n";
}

Result<ExitCode> ExportArchive(const ExportArguments& arguments) {
  auto memory = KTSTR_TRY(SnapshotMemoryOptions::OfSize(arguments.memory));
  if (arguments.output != "-" && !arguments.force) {
    KTSTR_TRY(CheckNothingAt(arguments.output, "overwrite it with --force"));
  }
  memory.ahead = FrameCache::Ahead::kInOrder;
  const auto machine =
      KTSTR_TRY(FrozenMachine::Open(arguments.archive, FrozenMachine::Damage::kRefuse, memory));
  const auto target = KTSTR_TRY(TargetOf(arguments));
  vmcore::ExportOptions options = OptionsOf(arguments);
  ProgressBar bar("exporting");
  const InterruptGuard guard;
  options.progress = [&bar](uint64_t done, uint64_t all) { bar.Show(done, all); };
  options.cancel = &InterruptGuard::flag();
  const auto summary = vmcore::ExportMachine(*machine, *target, options);
  bar.Clear();
  if (!summary) return Fail(summary.error());
  for (const std::string& warning : summary->warnings) {
    fmt::print(stderr, "ktstr-replay: note: {}\n", SafeText(warning));
  }
  const std::string account = Account(arguments, *summary, target->written());
  if (arguments.output == "-") {
    fmt::print(stderr, "{}", account);
  } else {
    KTSTR_TRY(Output::Standard().Write(account));
  }
  return ExitCode::kDone;
}

void DeclareExport(Options* command, Result<ExitCode>* result) {
  auto arguments = std::make_shared<ExportArguments>();
  command->Add("ARCHIVE", &arguments->archive, "The frozen machine, which is not changed")
      .Required()
      .TypeName("")
      .Files(".kts");
  command->Add("OUT", &arguments->output, "The dump to write; '-' is standard output")
      .Required()
      .TypeName("")
      .Files();
  command
      ->Add(
          "--format", &arguments->format,
          "elf: an ELF core, for crash, drgn and gdb; kdump: kdump-compressed, for crash, drgn and "
          "libkdumpfile; raw: the bytes of RAM alone, each at its address")
      .TypeName("elf|kdump|raw")
      .OneOf({"elf", "kdump", "raw"})
      .ShowDefault();
  command
      ->Add("--compression", &arguments->compression,
            "Of kdump. zlib is read by all tools; zstd takes half the time")
      .TypeName("zlib|zstd")
      .OneOf({"zlib", "zstd"})
      .ShowDefault();
  command->Add("-f,--force", &arguments->force, "Overwrite OUT");
  AddMemoryOption(command, &arguments->memory);
  command->SetFooter(
      "Pages that the archive does not have are absent, not zero. What raw cannot say it refuses.\n"
      "Zero pages are holes in a file; kdump to standard output is flattened, as makedumpfile -F\n"
      "writes it. 'ktstr-replay import' makes an archive of a dump.\n\n"
      "Examples:\n"
      "  ktstr-replay export demo.kts demo.vmcore\n"
      "  crash vmlinux demo.vmcore\n"
      "  drgn -c demo.vmcore -s vmlinux\n"
      "  ktstr-replay export demo.kts - --format kdump | ssh host 'cat > demo.flat'\n\n"
      "Exit codes: 0 written, 2 wrong usage, 3 the archive is damaged, or lacks pages for raw, 4 "
      "the\n"
      "system refused.");
  command->OnChosen([arguments, result] { *result = ExportArchive(*arguments); });
}

}  // namespace

void AddExportCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("export", "Writes the machine as a dump for crash, drgn and gdb",
                     [result](Options* command) { DeclareExport(command, result); });
}

}  // namespace ktstr
