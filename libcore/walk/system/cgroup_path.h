// Paths of cgroups (v2), by kernfs.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

// A kernel without cgroups has none of these, and lacks nothing.
struct CgroupNodeMembers : Fields {
  explicit CgroupNodeMembers(const Walk& walk) : Fields(walk, "cgroup") {}
  MaybeMember kn = Maybe("kn");
};

struct KernfsPathMembers : Fields {
  explicit KernfsPathMembers(const Walk& walk) : Fields(walk, "kernfs_node") {}
  // Renamed in 6.15 (633488947ef6).
  MaybeMember parent = Maybe("__parent", "parent");
  MaybeMember name = Maybe("name");
};

struct CssSetMembers : Fields {
  explicit CssSetMembers(const Walk& walk) : Fields(walk, "css_set") {}
  MaybeMember dfl_cgrp = Maybe("dfl_cgrp");
};

class CgroupPaths {
 public:
  explicit CgroupPaths(const Walk& walk);

  // The path of the cgroup (struct cgroup) in the default hierarchy: "/" for the root. Remembered.
  std::optional<std::string> PathOf(Kva cgroup);
  // Of a task's css_set.
  std::optional<std::string> PathOfCssSet(Kva css_set);

 private:
  std::optional<std::string> PathOfNode(Kva kernfs_node);

  Walk walk_;
  CgroupNodeMembers cgroup_{walk_};
  KernfsPathMembers node_{walk_};
  CssSetMembers set_{walk_};
  std::unordered_map<uint64_t, std::optional<std::string>> known_;
};

}  // namespace ktstr
