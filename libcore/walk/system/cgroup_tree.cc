#include "ktstr/walk/system/cgroup_tree.h"

#include <fmt/format.h>

#include <unordered_set>

#include "ktstr/walk/fields.h"
#include "ktstr/walk/globals.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {

class CgroupTree {
 public:
  CgroupTree(const GuestKernel& kernel, const TypeInfo& types, const WalkLimits& limits,
             Anomalies& anomalies)
      : kernel_(kernel), types_(types), limits_(limits), anomalies_(anomalies) {
    Fields root(types, "cgroup_root", anomalies);
    root_cgroup_ = root.Need("cgrp");
    root_hierarchy_ = root.Need("hierarchy_id");
    root_subsystems_ = root.Maybe("subsys_mask");
    root_list_ = root.Maybe("root_list");
    Fields cgroup(types, "cgroup", anomalies);
    self_ = cgroup.Need("self");
    self_cgroup_ = cgroup.Maybe("self.cgroup");
    self_parent_ = cgroup.Maybe("self.parent");
    Fields css(types, "cgroup_subsys_state", anomalies);
    children_ = css.Need("children");
    sibling_ = css.Need("sibling");
  }

  std::vector<CgroupRef> List(Kva default_root) {
    if (!root_cgroup_ || !self_ || !children_ || !sibling_) return {};
    AddHierarchy(default_root);
    for (const Kva root : OtherRoots(default_root)) AddHierarchy(root);
    return std::move(cgroups_);
  }

 private:
  // Of the hierarchies with the controllers that the rows are about.
  std::vector<Kva> OtherRoots(Kva default_root) {
    std::vector<Kva> roots;
    const auto head = Globals(kernel_, anomalies_).Address({"cgroup_roots"});
    if (!head || !root_list_ || !root_subsystems_) return roots;
    uint64_t wanted = 0;
    for (const char* id : {"cpu_cgrp_id", "cpuset_cgrp_id"}) {
      const auto bit = types_.FindEnumerator(id);
      if (bit && *bit >= 0 && *bit < 64) wanted |= uint64_t{1} << *bit;
    }
    for (const Kva node : WalkList(kernel_, *head, limits_, "cgroup hierarchies", anomalies_)) {
      const Kva root = node - root_list_->offset;
      if (root == default_root) continue;
      CellReader object(kernel_, root, "a cgroup hierarchy", anomalies_);
      const auto subsystems = object.Unsigned(root_subsystems_);
      if (subsystems && (*subsystems & wanted) != 0) roots.push_back(root);
    }
    return roots;
  }

  void AddHierarchy(Kva root) {
    CellReader object(kernel_, root, "a cgroup hierarchy", anomalies_);
    const auto hierarchy = object.Integer(root_hierarchy_);
    // In reverse order, so that the next one is at the end.
    std::vector<CgroupRef> waiting = {{root + root_cgroup_->offset, std::nullopt, hierarchy}};
    while (!waiting.empty()) {
      const CgroupRef next = waiting.back();
      waiting.pop_back();
      if (!IsCgroup(next) || !Visit(next.cgroup)) continue;
      cgroups_.push_back(next);
      const std::vector<Kva> children =
          WalkList(kernel_, next.cgroup + self_->offset + children_->offset, limits_,
                   fmt::format("children of cgroup {:#x}", next.cgroup.value()), anomalies_);
      for (auto child = children.rbegin(); child != children.rend(); ++child) {
        waiting.push_back({*child - sibling_->offset - self_->offset, next.cgroup, hierarchy});
      }
    }
  }

  // Whether what a list led to says of itself that it is a cgroup, or at least that one's child.
  bool IsCgroup(const CgroupRef& ref) {
    if (!ref.parent || !self_cgroup_ || !self_parent_) return true;
    CellReader object(kernel_, ref.cgroup, "a cgroup", anomalies_);
    const auto itself = object.Pointer(self_cgroup_);
    const auto parent = object.Pointer(self_parent_);
    if (!itself || !parent) return false;
    if (*itself == ref.cgroup || *parent == *ref.parent + self_->offset) return true;
    anomalies_.Add("damage", ref.cgroup,
                   fmt::format("the children of cgroup {:#x} lead here, where no cgroup is",
                               ref.parent->value()));
    return false;
  }

  bool Visit(Kva cgroup) {
    if (cgroups_.size() >= limits_.max_nodes) {
      if (!capped_) {
        anomalies_.Add("cap", cgroup, fmt::format("stopped after {} cgroups", limits_.max_nodes));
      }
      capped_ = true;
      return false;
    }
    if (visited_.insert(cgroup.value()).second) return true;
    anomalies_.Add("cycle", cgroup, "a cgroup that is the child of several");
    return false;
  }

  const GuestKernel& kernel_;
  const TypeInfo& types_;
  const WalkLimits& limits_;
  Anomalies& anomalies_;
  MaybeMember root_cgroup_, root_hierarchy_, root_subsystems_, root_list_;
  MaybeMember self_, self_cgroup_, self_parent_, children_, sibling_;
  std::vector<CgroupRef> cgroups_;
  std::unordered_set<uint64_t> visited_;
  bool capped_ = false;
};

}  // namespace

std::vector<CgroupRef> ListCgroups(const GuestKernel& kernel, const TypeInfo& types,
                                   const WalkLimits& limits, Anomalies& anomalies) {
  const auto root = Globals(kernel, anomalies).Address({"cgrp_dfl_root"});
  return root ? CgroupTree(kernel, types, limits, anomalies).List(*root) : std::vector<CgroupRef>();
}

}  // namespace ktstr
