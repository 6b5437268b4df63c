// Saves what a frozen machine is besides its RAM: QEMU's own migration stream, without RAM that is
// shared with us (capability x-ignore-shared).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "capture/freeze.h"
#include "libcore/base/result.h"

namespace ktstr {

// The whole stream, some 300 KB for a small machine. Asked again within one freeze, it answers the
// same bytes. The migration capabilities are put back to what they were. QEMU's run state is
// "postmigrate" afterwards, from which the guest can go on; a guest that *stays* in it cannot be
// saved again until it has run (QEMU's rule). Errors: kPeer (QEMU refuses, the migration fails, the
// stream would be larger than 512 MiB), kTimeout, kIo.
Result<std::shared_ptr<const std::vector<std::byte>>> SaveDeviceState(Frozen& frozen);

}  // namespace ktstr
