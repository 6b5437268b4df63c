// The kernels that memory holds, as a table: with kexec there are two.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct KernelRow {
  int64_t instance = 0;
  int64_t asked = 0;
  std::string state;
  std::optional<std::string> release, build_id, vcpus;
  Hex phys_base;
  std::optional<int64_t> crashed_at_s;

  static const RowTable<KernelRow>& Table();
  friend bool operator==(const KernelRow&, const KernelRow&) = default;
};

std::vector<KernelRow> KernelRows(const GuestKernel& kernel);

// "running", "stopped", "left".
std::string_view StateOf(const KernelInstance& instance);

// "2 in memory: 1 (6.12.1, running on vCPU 1), 2 (6.12.1, stopped, crashed, vCPU 0)"; empty for one
// alone.
std::string KernelsText(const GuestKernel& kernel);

}  // namespace ktstr
