// The monitor of a guest that libvirt has started: libvirt holds it, and passes questions on.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

struct LibvirtMonitor {
  std::shared_ptr<void> relay;  // asks libvirt for who writes to `socket`; must outlive that
  UniqueFd socket;              // speaks QMP as QEMU's own socket does, without events
  pid_t pid = 0;                // QEMU's process
};

// Connects to the guest that libvirt calls `domain`, by virsh (1), which finds libvirt as it always
// does (LIBVIRT_DEFAULT_URI). Each command is a run of virsh. Errors: kIo when there is no virsh,
// kPeer when it knows no such guest, or that does not run.
Result<LibvirtMonitor> ConnectToLibvirt(const std::string& domain);

}  // namespace ktstr
