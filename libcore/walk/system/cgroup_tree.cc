#include "libcore/walk/system/cgroup_tree.h"

#include <fmt/format.h>

#include <unordered_set>

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

namespace {

struct RootMembers : Fields {
  explicit RootMembers(const Walk& walk) : Fields(walk, "cgroup_root") {}
  MaybeMember cgroup = Need("cgrp"), hierarchy = Need("hierarchy_id"),
              subsystems = Maybe("subsys_mask"), list = Maybe("root_list");
};

struct SelfMembers : Fields {
  explicit SelfMembers(const Walk& walk) : Fields(walk, "cgroup") {}
  MaybeMember self = Need("self"), cgroup = Maybe("self.cgroup"), parent = Maybe("self.parent");
};

struct StateMembers : Fields {
  explicit StateMembers(const Walk& walk) : Fields(walk, "cgroup_subsys_state") {}
  MaybeMember children = Need("children"), sibling = Need("sibling");
};

class CgroupTree {
 public:
  explicit CgroupTree(const Walk& walk) : walk_(walk) {}

  std::vector<CgroupRef> List(Kva default_root) {
    if (!root_.cgroup || !self_.self || !css_.children || !css_.sibling) return {};
    AddHierarchy(default_root);
    for (const Kva root : OtherRoots(default_root)) AddHierarchy(root);
    return std::move(cgroups_);
  }

 private:
  // Of the hierarchies with the controllers that the rows are about.
  std::vector<Kva> OtherRoots(Kva default_root) {
    std::vector<Kva> roots;
    const auto head = Globals(walk_).Address({"cgroup_roots"});
    if (!head || !root_.list || !root_.subsystems) return roots;
    uint64_t wanted = 0;
    for (const char* id : {"cpu_cgrp_id", "cpuset_cgrp_id"}) {
      const auto bit = walk_.types.FindEnumerator(id);
      if (bit && *bit >= 0 && *bit < 64) wanted |= uint64_t{1} << *bit;
    }
    for (const Kva node : WalkList(walk_, *head, "cgroup hierarchies")) {
      const Kva root = node - root_.list->offset;
      if (root == default_root) continue;
      CellReader object(walk_, root, "a cgroup hierarchy");
      const auto subsystems = object.Unsigned(root_.subsystems);
      if (subsystems && (*subsystems & wanted) != 0) roots.push_back(root);
    }
    return roots;
  }

  void AddHierarchy(Kva root) {
    CellReader object(walk_, root, "a cgroup hierarchy");
    const auto hierarchy = object.Integer(root_.hierarchy);
    // In reverse order, so that the next one is at the end.
    std::vector<CgroupRef> waiting = {{root + root_.cgroup->offset, std::nullopt, hierarchy}};
    while (!waiting.empty()) {
      const CgroupRef next = waiting.back();
      waiting.pop_back();
      if (!IsCgroup(next) || !Visit(next.cgroup)) continue;
      cgroups_.push_back(next);
      const std::vector<Kva> children =
          WalkList(walk_, next.cgroup + self_.self->offset + css_.children->offset,
                   fmt::format("children of cgroup {:#x}", next.cgroup.value()));
      for (auto child = children.rbegin(); child != children.rend(); ++child) {
        waiting.push_back(
            {*child - css_.sibling->offset - self_.self->offset, next.cgroup, hierarchy});
      }
    }
  }

  // Whether what a list led to says of itself that it is a cgroup, or at least that one's child.
  bool IsCgroup(const CgroupRef& ref) {
    if (!ref.parent || !self_.cgroup || !self_.parent) return true;
    CellReader object(walk_, ref.cgroup, "a cgroup");
    const auto itself = object.Pointer(self_.cgroup);
    const auto parent = object.Pointer(self_.parent);
    if (!itself || !parent) return false;
    if (*itself == ref.cgroup || *parent == *ref.parent + self_.self->offset) return true;
    walk_.anomalies.Add("damage", ref.cgroup,
                        fmt::format("the children of cgroup {:#x} lead here, where no cgroup is",
                                    ref.parent->value()));
    return false;
  }

  bool Visit(Kva cgroup) {
    if (cgroups_.size() >= walk_.limits.max_nodes) {
      if (!capped_) {
        walk_.anomalies.Add("cap", cgroup,
                            fmt::format("stopped after {} cgroups", walk_.limits.max_nodes));
      }
      capped_ = true;
      return false;
    }
    if (visited_.insert(cgroup.value()).second) return true;
    walk_.anomalies.Add("cycle", cgroup, "a cgroup that is the child of several");
    return false;
  }

  Walk walk_;
  RootMembers root_{walk_};
  SelfMembers self_{walk_};
  StateMembers css_{walk_};
  std::vector<CgroupRef> cgroups_;
  std::unordered_set<uint64_t> visited_;
  bool capped_ = false;
};

}  // namespace

std::vector<CgroupRef> ListCgroups(const Walk& walk) {
  const auto root = Globals(walk).Address({"cgrp_dfl_root"});
  return root ? CgroupTree(walk).List(*root) : std::vector<CgroupRef>();
}

}  // namespace ktstr
