// Per-CPU pointers that kernels keep in different places: in variables of their own, or (6.2 to
// 6.14, c063a217bc07) in struct pcpu_hot.
#pragma once

#include <optional>
#include <string_view>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The value of the per-CPU pointer `name`. Nothing when the kernel has no such variable, or (then
// with an anomaly) when it cannot be read.
std::optional<Kva> ReadPerCpuPointer(const Walk& walk, std::string_view name, uint32_t cpu);

}  // namespace ktstr
