// The kernel's doubly linked lists (include/linux/list.h), walked safely.
#pragma once

#include <functional>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The nodes (struct list_head) of the list at `head`, without the head, in list order. What is
// wrong with the list is an anomaly each: a node that cannot be read, one whose way back does not
// lead to its predecessor, a cycle that misses the head. A node whose neighbours do not confirm it
// is none. Where the way forward ends, the rest is reached from the other end. Ends with an anomaly
// "cap" after limits.max_nodes.
std::vector<Kva> WalkList(const Walk& walk, Kva head, std::string_view name);
// The same node by node: `visit` is given each in that order, as soon as it is known to be the
// next, so that what hangs on it can be read while its page is at hand.
void WalkEachOfList(const Walk& walk, Kva head, std::string_view name,
                    const std::function<void(Kva)>& visit);
// The same until `visit` says that this was enough (false).
void WalkListWhile(const Walk& walk, Kva head, std::string_view name,
                   const std::function<bool(Kva)>& visit);

}  // namespace ktstr
