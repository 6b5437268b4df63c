#include <fmt/format.h>

#include <memory>

#include "libcore/base/safe_text.h"
#include "replay/command/replay_command.h"
#include "replay/frozen_machine.h"

namespace ktstr {

Result<std::unique_ptr<FrozenMachine>> OpenAcceptingDamage(const std::string& path,
                                                           bool accepts_damage,
                                                           SnapshotMemoryOptions memory,
                                                           bool* lost) {
  using Damage = FrozenMachine::Damage;
  auto machine =
      FrozenMachine::Open(path, accepts_damage ? Damage::kAccept : Damage::kRefuse, memory);
  if (!machine) {
    // Metadata and registers can be done without; who has nothing to lose is told of it.
    if (!accepts_damage && machine.error().code() == ErrorCode::kDamaged &&
        FrozenMachine::Open(path, Damage::kAccept)) {
      return Fail(ErrorCode::kDamaged,
                  machine.error().ToString() + " (--accept-damage does without what is lost)");
    }
    return Fail(machine.error());
  }
  for (const LostPart& part : (*machine)->archive().lost()) {
    *lost = true;
    const bool is_metadata = part.part == LostPart::Part::kMetadata;
    fmt::print(stderr, "ktstr-replay: {} lost: {}\n", is_metadata ? "metadata" : "registers",
               SafeText(part.error.ToString()));
  }
  return machine;
}

void AddAcceptDamage(Options* command, bool* accepts_damage) {
  command->Add("--accept-damage", accepts_damage,
               "Open an archive whose metadata or registers are damaged, too, without them (exit "
               "code 3)");
}

void AddMemoryOption(Options* command, std::string* size) {
  command->Add("--memory", size, "Keep at most that much of the guest's pages decompressed")
      .TypeName("SIZE")
      .ShowDefault();
}

}  // namespace ktstr
