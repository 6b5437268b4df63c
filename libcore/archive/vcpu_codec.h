// vCPU registers to and from the section VCPU.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/vcpu.h"

namespace ktstr::archive {

std::vector<std::byte> EncodeVcpus(std::span<const VcpuRegisters> vcpus);

// Allocates in proportion to `payload`. Errors: kDamaged.
Result<std::vector<VcpuRegisters>> DecodeVcpus(std::span<const std::byte> payload);

}  // namespace ktstr::archive
