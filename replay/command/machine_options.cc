#include "replay/command/machine_options.h"

#include <fmt/format.h>

#include "libcore/base/safe_text.h"

namespace ktstr {

void AddArchive(Options* command, std::string* archive) {
  command->Add("ARCHIVE", archive, "The frozen machine (.kts)")
      .Required()
      .TypeName("")
      .Files(".kts");
}

void AddVmlinux(Options* command, FrozenArguments* arguments) {
  command
      ->Add("--vmlinux", &arguments->kernel.vmlinux,
            "Take symbols and types from this file, not from the guest's memory")
      .TypeName("FILE");
}

void AddKernelInstance(Options* command, FrozenArguments* arguments) {
  command
      ->Add("--kernel-instance", &arguments->kernel.instance,
            "Which of the kernels in memory, where there are several (ktstr-analyze ARCHIVE sql "
            "'SELECT * FROM kernel'); 1 is the one that runs")
      .TypeName("N");
}

void AddAcceptDamage(Options* command, FrozenArguments* arguments) {
  command->Add("--accept-damage", &arguments->accept_damage,
               "Open an archive whose metadata or registers are damaged, too, without them (exit "
               "code 3)");
}

void AddMemoryOption(Options* command, std::string* size) {
  command->Add("--memory", size, "Keep at most that much of the guest's pages decompressed")
      .TypeName("SIZE")
      .ShowDefault();
}

Result<std::unique_ptr<FrozenMachine>> OpenMachine(const FrozenArguments& arguments, bool* lost) {
  using Damage = FrozenMachine::Damage;
  const auto memory = KTSTR_TRY(SnapshotMemoryOptions::OfSize(arguments.memory));
  auto machine = FrozenMachine::Open(
      arguments.archive, arguments.accept_damage ? Damage::kAccept : Damage::kRefuse, memory);
  if (!machine) {
    // Metadata and registers can be done without; who has nothing to lose is told of it.
    if (lost != nullptr && !arguments.accept_damage &&
        machine.error().code() == ErrorCode::kDamaged &&
        FrozenMachine::Open(arguments.archive, Damage::kAccept)) {
      return Fail(ErrorCode::kDamaged,
                  machine.error().ToString() + " (--accept-damage does without what is lost)");
    }
    return Fail(machine.error());
  }
  for (const LostPart& part : (*machine)->archive().lost()) {
    if (lost != nullptr) *lost = true;
    const bool is_metadata = part.part == LostPart::Part::kMetadata;
    fmt::print(stderr, "ktstr-replay: {} lost: {}\n", is_metadata ? "metadata" : "registers",
               SafeText(part.error.ToString()));
  }
  return machine;
}

}  // namespace ktstr
