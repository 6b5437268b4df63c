// The kernel's resizable hash tables (include/linux/rhashtable.h), walked safely.
#pragma once

#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The objects in the struct rhashtable at `table` (where each begins, not its hash node), by
// bucket; of a table that is being resized those of both halves, each once. A table that was never
// set up has none. A bucket or chain that cannot be followed costs the rest of that chain and is an
// anomaly. Ends with an anomaly "cap" after limits.max_nodes.
std::vector<Kva> WalkRhashtable(const Walk& walk, Kva table, std::string_view name);

}  // namespace ktstr
