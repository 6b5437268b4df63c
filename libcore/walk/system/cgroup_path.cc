#include "libcore/walk/system/cgroup_path.h"

#include <fmt/format.h>

namespace ktstr {

namespace {
// CGROUP_NAME is limited to NAME_MAX; the depth by nothing, but nobody nests deeper.
constexpr size_t kMaxName = 255;
constexpr int kMaxDepth = 256;
}  // namespace

CgroupPaths::CgroupPaths(const Walk& walk) : walk_(walk) {}

std::optional<std::string> CgroupPaths::PathOfCssSet(Kva css_set) {
  if (css_set.is_null()) return std::nullopt;
  CellReader set(walk_, css_set, "a css_set");
  const auto cgroup = set.Pointer(set_.dfl_cgrp);
  return cgroup && !cgroup->is_null() ? PathOf(*cgroup) : std::nullopt;
}

std::optional<std::string> CgroupPaths::PathOf(Kva cgroup) {
  const auto found = known_.find(cgroup.value());
  if (found != known_.end()) return found->second;
  CellReader object(walk_, cgroup, "a cgroup");
  const auto node = object.Pointer(cgroup_.kn);
  auto path = node && !node->is_null() ? PathOfNode(*node) : std::nullopt;
  known_.emplace(cgroup.value(), path);
  return path;
}

std::optional<std::string> CgroupPaths::PathOfNode(Kva node) {
  std::string path;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    CellReader object(walk_, node, "a kernfs_node");
    const auto parent = object.Pointer(node_.parent);
    if (!parent) return std::nullopt;
    if (parent->is_null()) return path.empty() ? "/" : path;
    const auto name_at = object.Pointer(node_.name);
    if (!name_at) return std::nullopt;
    const auto name = walk_.kernel.ReadString(*name_at, kMaxName);
    if (!name) {
      object.Report(name.error());
      return std::nullopt;
    }
    path = "/" + *name + path;
    node = *parent;
  }
  walk_.anomalies.Add("cap", node, fmt::format("a cgroup's path is deeper than {}", kMaxDepth));
  return std::nullopt;
}

}  // namespace ktstr
