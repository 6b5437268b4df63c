// Which cgroups there are: the tree of each hierarchy, by the lists of children that
// css_for_each_child follows (include/linux/cgroup.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct CgroupRef {
  Kva cgroup;                        // struct cgroup
  std::optional<Kva> parent;         // nothing for a root
  std::optional<int64_t> hierarchy;  // as in /proc/cgroups: 0 is the default one (v2)
};

// The cgroups of the default hierarchy, then those of the v1 hierarchies that have the controller
// cpu or cpuset; parents before their children, children in the order of their creation. Empty for
// a kernel without cgroups. What cannot be followed is an anomaly; ends with an anomaly "cap" after
// limits.max_nodes.
std::vector<CgroupRef> ListCgroups(const Walk& walk);

}  // namespace ktstr
