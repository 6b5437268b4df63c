// The device state of an archive in the form that QEMU takes in as a migration.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// What SaveDeviceState saved, with the section by which a migration begins: the type of machine,
// with its version (QEMU_VM_CONFIGURATION, vmstate_configuration in migration/savevm.c). The run
// state in it is "running" whatever the machine's was, since xen-save-devices-state writes it so;
// QEMU started with -S stays paused. Errors: kUnsupported when it is no such state.
Result<std::vector<std::byte>> IncomingStream(std::span<const std::byte> device_state,
                                              std::string_view machine_type);

}  // namespace ktstr
