// Whether a guest that did not come up is worth another boot: QEMU's TCG has faults that have
// nothing to do with the guest.
#pragma once

#include <optional>
#include <string_view>

#include "capture/qemu/machine_options.h"

namespace ktstr {

// How often a guest is booted at most.
inline constexpr int kBootAttempts = 3;

struct FailedBoot {
  int attempt = 1;  // this was the first, second, …
  Accelerator accelerator = Accelerator::kAuto;
  std::string_view console;        // the end of what the guest wrote
  std::optional<int> qemu_status;  // as waitpid(2) gives it, when QEMU has ended
  bool timed_out = false;          // nothing was heard of its init in all the time that it had
};

// What happened, for a person, when it is one of those faults and another attempt is left.
std::optional<std::string_view> WhyBootAgain(const FailedBoot& boot);

// Whether a kernel whose console this is died of a breakpoint that it had taken back.
bool ShowsStaleBreakpoint(std::string_view console);

}  // namespace ktstr
