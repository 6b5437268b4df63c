// ktstr-replay symbols ARCHIVE -o FILE.elf: the kernel's symbols and stack frames for debuggers.

#include <fmt/format.h>

#include <string>

#include "libcore/base/output.h"
#include "libcore/base/output_file.h"
#include "libcore/base/safe_text.h"
#include "replay/command/machine_options.h"
#include "replay/command/replay_command.h"
#include "replay/frozen_machine.h"
#include "replay/gdb/symbol_file.h"

namespace ktstr {

namespace {

struct SymbolsArguments {
  FrozenArguments machine{.memory = SnapshotMemoryOptions::kDefaultSize};
  std::string output;
};

Result<ExitCode> WriteSymbols(const SymbolsArguments& arguments) {
  OutputFile output = KTSTR_TRY(OutputFile::Create(arguments.output, OutputFile::Existing::kKeep));
  bool lost = false;
  const auto machine = KTSTR_TRY(OpenMachine(arguments.machine, &lost));
  const GuestKernel* kernel = KTSTR_TRY(machine->Kernel(arguments.machine.kernel));
  const SymbolFile file = KTSTR_TRY(MakeSymbolFile(*kernel));
  KTSTR_TRY(output.Append(std::as_bytes(std::span(file.bytes))));
  KTSTR_TRY(output.Publish());
  KTSTR_TRY(Output::Standard().Write(
      fmt::format("{}: {} symbols{}\n", SafeText(arguments.output), file.symbols,
                  file.has_frames ? ", and how to walk stacks back"
                                  : "; the kernel has no tables by which to walk stacks back")));
  return lost ? ExitCode::kBadInput : ExitCode::kDone;
}

void DeclareSymbols(Options* symbols, Result<ExitCode>* result) {
  auto arguments = std::make_shared<SymbolsArguments>();
  AddArchive(symbols, &arguments->machine.archive);
  symbols->Add("-o,--output", &arguments->output, "The file to make; never replaces one")
      .Required()
      .TypeName("FILE.elf")
      .Files(".elf");
  AddKernelInstance(symbols, &arguments->machine);
  AddAcceptDamage(symbols, &arguments->machine);
  AddMemoryOption(symbols, &arguments->machine.memory);
  symbols->SetFooter(
      "Functions and variables of the kernel, functions of modules and BPF programs, at the\n"
      "addresses that they have in this machine, and the kernel's own unwind tables as DWARF: "
      "with\n"
      "it, gdb and others show names and stacks without a vmlinux. Types and lines are in a "
      "vmlinux\n"
      "with debug information only.\n\n"
      "Example:\n"
      "  ktstr-replay symbols demo.kts -o demo.elf\n"
      "  gdb demo.elf -ex 'target remote | ktstr-replay gdb demo.kts -' -ex bt\n\n"
      "Exit codes: 0 done, 2 wrong usage, 3 the archive cannot be used, 4 the system refused.");
  symbols->OnChosen([arguments, result] { *result = WriteSymbols(*arguments); });
}

}  // namespace

void AddSymbolsCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("symbols",
                     "Makes an ELF file of the kernel's symbols and stack frames, for debuggers",
                     [result](Options* symbols) { DeclareSymbols(symbols, result); });
}

}  // namespace ktstr
