// Blocks of virtio-mem devices that are not plugged. QEMU maps a device's whole memory for the
// guest, but the guest has none of it but the blocks that it was given.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

// One device, as QEMU's monitor describes it; sizes in bytes.
struct VirtioMemDevice {
  std::string id;
  Pa begin;
  uint64_t max_size = 0, size = 0, block_size = 0;  // size: so much is plugged

  friend bool operator==(const VirtioMemDevice&, const VirtioMemDevice&) = default;
};

struct Unplugged {
  std::vector<MemoryRegion> regions;  // ascending, disjoint
  std::vector<std::string> unknown;   // ids of devices of which it is not known
};

// Which blocks these are: by the device's bitmap in the device state (hw/virtio/virtio-mem.c),
// which is believed if it has as many blocks as the monitor says are plugged.
Unplugged FindUnplugged(std::span<const VirtioMemDevice> devices,
                        std::span<const std::byte> device_state);

// The devices of a machine. Errors: those of QmpClient::Execute.
Result<std::vector<VirtioMemDevice>> VirtioMemDevices(QmpClient& qmp);

}  // namespace ktstr
