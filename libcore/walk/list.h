// The kernel's doubly linked lists (include/linux/list.h), walked safely.
#pragma once

#include <vector>

#include "ktstr/base/address.h"
#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/anomaly.h"

namespace ktstr {

// The nodes (struct list_head) of the list at `head`, without the head, in list order. A node that
// cannot be read, one that does not lead back to its predecessor, or a cycle that misses the head
// is an anomaly and ends that direction; the rest is then reached from the other end. Ends with an
// anomaly "cap" after limits.max_nodes.
std::vector<Kva> WalkList(const GuestKernel& kernel, Kva head, const WalkLimits& limits,
                          std::string_view name, Anomalies& anomalies);

}  // namespace ktstr
