// The pools of kernel threads that do the work of workqueues (kernel/workqueue.c).
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The addresses of all struct worker_pool: by the kernel's own index of them, and where that is
// damaged at least those of the CPUs. What cannot be read is an anomaly.
std::vector<Kva> ListWorkerPools(const Walk& walk);

}  // namespace ktstr
