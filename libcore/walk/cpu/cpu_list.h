// Which CPUs the kernel has, and where their run queues are.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct CpuRef {
  uint32_t cpu;  // as the kernel counts
  Kva rq;        // struct rq
  std::optional<bool> online;
};

// All possible CPUs in ascending order. What cannot be read is an anomaly.
std::vector<CpuRef> ListCpus(const Walk& walk);

}  // namespace ktstr
