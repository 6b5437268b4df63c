// Which vCPU is which CPU of the kernel's: the VMM and the kernel count on their own.
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/vcpu.h"

namespace ktstr {

// The vCPU that has the CPU's per-CPU area: one of the two GS bases is its offset, whether before
// or after swapgs. Where none is, and there is one kernel only, the VMM's number is taken for the
// kernel's. Null for a CPU without a vCPU.
const VcpuRegisters* VcpuOf(const GuestKernel& kernel, uint32_t cpu);

// What the CPU executed: of a kernel that crashed what it saved then, else what its vCPU does. Null
// where neither is there.
const VcpuRegisters* RegistersOf(const GuestKernel& kernel, uint32_t cpu);

}  // namespace ktstr
