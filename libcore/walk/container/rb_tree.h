// The kernel's red-black trees (include/linux/rbtree.h), walked safely.
#pragma once

#include <string_view>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// The nodes (struct rb_node) of the tree whose struct rb_root (or rb_root_cached) stands at `root`,
// in order. What is wrong with the tree is an anomaly each: a node that cannot be read (its subtree
// is lost, the rest is not), one whose parent is another than the node that leads to it, a node met
// twice. A node whose parent is no node of the tree is none. Ends with an anomaly "cap" after
// limits.max_nodes.
std::vector<Kva> WalkRbTree(const Walk& walk, Kva root, std::string_view name);

}  // namespace ktstr
