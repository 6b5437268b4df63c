// Saves what a frozen machine is besides its RAM: the state of all its devices, vCPUs among them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "capture/freeze.h"
#include "libcore/base/result.h"

namespace ktstr {

// What QEMU's command xen-save-devices-state writes, some 40 KB for a small machine: the sections
// of its migration stream that are not RAM (SplitDeviceState), whatever backend and accelerator the
// machine has. Unlike a migration it changes nothing: the machine stays in the run state that it is
// in, and can be saved as often as one likes. (A QEMU older than 9.1 keeps a descriptor of the file
// until the guest has gone on and been saved again.) Asked again within one freeze, it answers the
// same bytes. Errors: kPeer (QEMU refuses, or wrote nothing), kTimeout, kIo.
Result<std::shared_ptr<const std::vector<std::byte>>> SaveDeviceState(Frozen& frozen);

}  // namespace ktstr
