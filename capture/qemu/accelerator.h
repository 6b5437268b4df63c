// Decides whether a guest runs on KVM or on TCG.
#pragma once

#include <optional>
#include <string>

#include "capture/qemu/machine_options.h"
#include "libcore/base/result.h"

namespace ktstr {

// How many debug registers a vCPU has for break- and watchpoints together; nothing: no limit.
std::optional<int> DebugRegisters(Accelerator accelerator);

struct AcceleratorChoice {
  Accelerator accelerator = Accelerator::kTcg;  // never kAuto
  std::string reason;  // why it is not KVM where kAuto was asked for; else empty
};

// What options.accelerator asks for; for kAuto, KVM where options.kernel gets past its boot loader
// on it: a /dev/kvm that opens says little. The test costs up to 15 s once; its outcome is kept in
// the user's cache directory until the host reboots or QEMU changes. A guest of which more
// variables are watched than KVM can runs on TCG. Errors: kIo when KVM was asked for and cannot be
// opened, kUnsupported when it was and can watch too few.
Result<AcceleratorChoice> ChooseAccelerator(const MachineOptions& options);

}  // namespace ktstr
