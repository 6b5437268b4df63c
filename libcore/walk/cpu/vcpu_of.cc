#include "libcore/walk/cpu/vcpu_of.h"

namespace ktstr {

const VcpuRegisters* VcpuOf(const GuestKernel& kernel, uint32_t cpu) {
  const auto base = kernel.PerCpu(Kva(0), cpu);
  for (const VcpuRegisters& vcpu : kernel.own_vcpus()) {
    if (base && (vcpu.gs.base == base->value() || vcpu.kernel_gs_base == base->value())) {
      return &vcpu;
    }
  }
  if (kernel.instances().size() > 1) return nullptr;
  for (const VcpuRegisters& vcpu : kernel.own_vcpus()) {
    if (vcpu.cpu == cpu) return &vcpu;
  }
  return nullptr;
}

const VcpuRegisters* RegistersOf(const GuestKernel& kernel, uint32_t cpu) {
  for (const SavedRegisters& saved : kernel.saved_registers()) {
    if (saved.cpu == cpu) return &saved.registers;
  }
  return VcpuOf(kernel, cpu);
}

}  // namespace ktstr
