// The registers of all vCPUs, out of QEMU's saved device state.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/vcpu.h"

namespace ktstr {

// By ascending CPU index. Errors: kDamaged; kUnsupported (no x86-64 vCPUs in it, or a layout of
// theirs that is not known).
Result<std::vector<VcpuRegisters>> ParseVcpus(std::span<const std::byte> device_state);

}  // namespace ktstr
