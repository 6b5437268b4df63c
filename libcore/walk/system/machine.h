// The machine and its kernel as key and value, and the vCPUs' registers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/vcpu.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct MachineRow {
  std::string key;
  std::optional<std::string> value;

  static const RowTable<MachineRow>& Table();
  friend bool operator==(const MachineRow&, const MachineRow&) = default;
};

// What the kernel's memory tells: release, build_id, cmdline, arch, kaslr_offset, kaslr_method,
// phys_base, page_offset, paging_levels, nr_cpus, jiffies, hz, uptime_ns, kernels, kernel_instance,
// crash_kernel, panic_cpu. Unknown values are NULL.
Walked<MachineRow> WalkMachine(const GuestKernel& kernel);

struct DerivationRow {
  std::string name, method;
  std::optional<std::string> value;
  int64_t chosen = 0;
  std::string note;

  static const RowTable<DerivationRow>& Table();
  friend bool operator==(const DerivationRow&, const DerivationRow&) = default;
};

std::vector<DerivationRow> DerivationRows(const std::vector<Derivation>& derivations);

struct VcpuRow {
  int64_t cpu = 0;
  std::optional<int64_t> kernel_instance, kernel_cpu;
  Hex rip, rsp, rflags;
  // What a dump of another tool's may lack.
  std::optional<Hex> cr0, cr2, cr3, cr4, efer, lstar, gs_base, kernel_gs_base;
  std::optional<std::string> mode;
  std::optional<std::string> rip_symbol;

  static const RowTable<VcpuRow>& Table();
  friend bool operator==(const VcpuRow&, const VcpuRow&) = default;
};

// "kernel", "user", "halted".
std::string_view VcpuModeName(VcpuMode mode);

// `kernel` names the symbols; it may be null.
std::vector<VcpuRow> VcpuRows(std::span<const VcpuRegisters> vcpus, const GuestKernel* kernel);

}  // namespace ktstr
