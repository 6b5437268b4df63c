// The kernel's singly linked chains: hlist, hlist_nulls, llist, the buckets of an rhashtable.
#pragma once

#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The nodes from `first` on, each leading to the next by the pointer at its begin, until one that
// is null or odd (a "nulls" end). Where the chain cannot be followed (unreadable, a cycle, more
// than limits.max_nodes) it ends with an anomaly; what was found is kept.
std::vector<Kva> WalkChain(const Walk& walk, Kva first, std::string_view name);

}  // namespace ktstr
