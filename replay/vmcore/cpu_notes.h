// The registers of one CPU as notes of a core have them, to and from ours.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/vcpu.h"

namespace ktstr::vmcore {

// struct elf_prstatus of x86-64 (include/linux/elfcore.h). What the kernel has saved of itself
// (crash_save_cpu) has in gs_base that of user space, as elf_core_copy_regs takes it.
VcpuRegisters FromPrStatus(std::span<const std::byte> status, uint32_t cpu);
std::vector<std::byte> ToPrStatus(const VcpuRegisters& vcpu);
inline constexpr size_t kPrStatusSize = 336;

// QEMUCPUState of QEMU's target/i386/arch_dump.c, version 1. Errors: kUnsupported (another one).
Result<VcpuRegisters> FromQemuState(std::span<const std::byte> state, uint32_t cpu);
std::vector<std::byte> ToQemuState(const VcpuRegisters& vcpu);

}  // namespace ktstr::vmcore
