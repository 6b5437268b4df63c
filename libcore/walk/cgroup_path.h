// Paths of cgroups (v2), by kernfs.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/anomaly.h"
#include "ktstr/walk/fields.h"

namespace ktstr {

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
  MaybeMember kn_, parent_, name_, dfl_cgrp_;
  std::unordered_map<uint64_t, std::optional<std::string>> known_;
};

}  // namespace ktstr
