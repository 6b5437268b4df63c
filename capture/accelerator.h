// Decides whether a guest runs on KVM or on TCG.
#pragma once

#include <string>

#include "ktstr/base/result.h"
#include "ktstr/capture/machine_options.h"

namespace ktstr {

struct AcceleratorChoice {
  Accelerator accelerator = Accelerator::kTcg;  // never kAuto
  std::string reason;  // why it is not KVM where kAuto was asked for; else empty
};

// What options.accelerator asks for; for kAuto, KVM where options.kernel gets past its boot loader
// on it: a /dev/kvm that opens says little. The test costs up to 5 s once; its outcome is kept in
// the user's cache directory until the host reboots or QEMU changes. Errors: kIo when KVM was asked
// for and cannot be opened.
Result<AcceleratorChoice> ChooseAccelerator(const MachineOptions& options);

}  // namespace ktstr
