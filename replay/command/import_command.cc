// ktstr-replay import DUMP... -o ARCHIVE: an archive of another tool's dump.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/output_place.h"
#include "libcore/base/progress_bar.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"
#include "replay/command/replay_command.h"
#include "replay/vmcore/import.h"

namespace ktstr {

namespace {

struct ImportArguments {
  std::vector<std::string> dumps, ranges;
  std::string output, format = "auto";
  bool accept_damage = false, force = false;
};

Result<vmcore::OpenOptions> OpenOptionsOf(const ImportArguments& arguments) {
  vmcore::OpenOptions options;
  options.raw = arguments.format == "raw";
  if (arguments.accept_damage) options.cut_off = vmcore::CutOff::kAccept;
  if (!arguments.ranges.empty() && !options.raw) {
    return Fail(ErrorCode::kInvalidArgument, "--ram says where raw RAM belongs: add --format raw");
  }
  for (const std::string& range : arguments.ranges) {
    options.ranges.push_back(KTSTR_TRY(vmcore::ParseRawRange(range)));
  }
  return options;
}

std::string Account(const ImportArguments& arguments, const vmcore::Vmcore& dump,
                    const vmcore::ImportSummary& summary) {
  const ArchiveWriteSummary& archive = summary.archive;
  std::string text =
      fmt::format("{}: {}, made of {}: {} pages are stored, {} are repeated and {} are zero",
                  SafeText(arguments.output), FormatSize(archive.file_size), dump.kind,
                  archive.present_pages, archive.duplicate_pages, archive.zero_pages);
  std::string left_out;
  for (const auto& [reason, pages] : archive.left_out_pages) {
    left_out +=
        fmt::format("{}{} {}", left_out.empty() ? "" : ", ", pages, LeftOutReasonName(reason));
  }
  if (!left_out.empty()) text += "; left out: " + left_out;
  if (archive.damaged_pages != 0) text += fmt::format("; {} are damaged", archive.damaged_pages);
  if (!summary.kernel_release.empty()) {
    text += "; kernel " + SafeText(summary.kernel_release);
  }
  return text + "\n";
}

Result<ExitCode> ImportDump(const ImportArguments& arguments) {
  const vmcore::OpenOptions open = KTSTR_TRY(OpenOptionsOf(arguments));
  if (!arguments.force) {
    KTSTR_TRY(CheckNothingAt(arguments.output, "overwrite it with --force"));
  }
  const vmcore::Vmcore dump = KTSTR_TRY(vmcore::OpenVmcore(arguments.dumps, open));
  ProgressBar bar("importing");
  const InterruptGuard guard;
  vmcore::ImportOptions options;
  options.overwrite = arguments.force;
  options.imported_by = "ktstr-replay " KTSTR_VERSION;
  options.progress = [&bar](uint64_t done, uint64_t all) { bar.Show(done, all); };
  options.cancel = &InterruptGuard::flag();
  const auto summary = vmcore::ImportVmcore(dump, open.cut_off, arguments.output, options);
  bar.Clear();
  if (!summary && InterruptGuard::flag()) {
    return Fail(ErrorCode::kInterrupted, "the import was interrupted");
  }
  if (!summary) return Fail(summary.error());
  for (const std::string& warning : summary->warnings) {
    fmt::print(stderr, "ktstr-replay: note: {}\n", SafeText(warning));
  }
  KTSTR_TRY(Output::Standard().Write(Account(arguments, dump, *summary)));
  return ExitCode::kDone;
}

void DeclareImport(Options* command, Result<ExitCode>* result) {
  auto arguments = std::make_shared<ImportArguments>();
  command
      ->Add("DUMP", &arguments->dumps,
            "The dump: an ELF core of a kernel or of QEMU, or a kdump-compressed one; all files of "
            "one that makedumpfile --split made")
      .Required()
      .TypeName("")
      .Files();
  command->Add("-o,--output", &arguments->output, "The archive to write")
      .Required()
      .TypeName("FILE");
  command
      ->Add("--format", &arguments->format,
            "auto: what the file says it is; raw: the bytes of RAM alone, each at its address")
      .TypeName("auto|raw")
      .OneOf({"auto", "raw"})
      .ShowDefault();
  command
      ->Add(
          "--ram", &arguments->ranges,
          "Of raw: RAM at ADDRESS is SIZE large, at OFFSET of the file (without: at ADDRESS); may "
          "be repeated, and all else is no RAM")
      .TypeName("ADDRESS:SIZE[@OFFSET]")
      .OneEach();
  command->Add("--accept-damage", &arguments->accept_damage,
               "Pages that should be there and cannot be read become damaged ones");
  command->Add("-f,--force", &arguments->force, "Overwrite FILE");
  command->SetFooter(
      "What the dump lacks is unknown in the archive, not 0: registers, devices (the machine "
      "cannot\n"
      "be woken), pages. Why pages are missing is said by the kernel's own account of them, as far "
      "as\n"
      "it goes. Of a crashed kernel the registers are those that it has saved itself.\n\n"
      "Examples:\n"
      "  ktstr-replay import /var/crash/vmcore -o crash.kts\n"
      "  ktstr-replay import part1 part2 -o crash.kts\n"
      "  ktstr-replay import /var/lib/libvirt/qemu/save/guest.save -o guest.kts\n"
      "  ktstr-replay import ram.bin --format raw --ram 0:2G --ram 4G:6G@2G -o machine.kts\n\n"
      "Exit codes: 0 written, 2 wrong usage, 3 the dump is damaged or of another kind, 4 the "
      "system\n"
      "refused.");
  command->OnChosen([arguments, result] { *result = ImportDump(*arguments); });
}

}  // namespace

void AddImportCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("import",
                     "Makes an archive of another tool's dump: a vmcore, what virsh saves, RAM",
                     [result](Options* command) { DeclareImport(command, result); });
}

}  // namespace ktstr
