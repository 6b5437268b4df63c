#include "libcore/walk/sched/scx_instance.h"

#include <algorithm>
#include <unordered_set>

#include "libcore/walk/container/list.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

namespace {

// MAX_NUMNODES is at most 2^10 (NODES_SHIFT, arch/x86/Kconfig).
constexpr uint32_t kMaxNodes = 1024;

class InstanceFinder {
 public:
  explicit InstanceFinder(const Walk& walk) : walk_(walk), globals_(walk) {}

  std::vector<ScxInstance> Find() {
    if (globals_.Address({"scx_root"})) {
      if (const auto root = globals_.Pointer({"scx_root"})) AddTree(*root);
    } else if (globals_.Address({"scx_ops"})) {
      AddStatic();
    }
    return std::move(found_);
  }

 private:
  void AddStatic() {
    ScxInstance instance;
    instance.ops = globals_.Address({"scx_ops"});
    instance.exit_kind = globals_.Address({"scx_exit_kind"});
    instance.exit_info = globals_.Pointer({"scx_exit_info"});
    instance.dsq_hash = globals_.Address({"dsq_hash"});
    if (const auto array = globals_.Pointer({"global_dsqs"})) {
      instance.global_dsqs = NodePointers(*array);
    } else if (const auto single = globals_.Address({"scx_dsq_global"})) {
      instance.global_dsqs = {{0, *single}};
    }
    found_.push_back(std::move(instance));
  }

  void AddTree(Kva root) {
    std::vector<Kva> pending = {root};
    std::unordered_set<uint64_t> seen;
    while (!pending.empty()) {
      const Kva kva = pending.back();
      pending.pop_back();
      if (!seen.insert(kva.value()).second) {
        walk_.anomalies.Add("cycle", kva, "a sub-scheduler met twice");
        continue;
      }
      if (seen.size() > walk_.limits.max_nodes)
        return walk_.anomalies.Add("cap", kva, "sub-schedulers");
      Add(kva);
      if (!sched_.children || !sched_.sibling) continue;
      auto below = WalkList(walk_, kva + sched_.children->offset, "sub-schedulers");
      for (auto node = below.rbegin(); node != below.rend(); ++node) {
        pending.push_back(*node - sched_.sibling->offset);
      }
    }
  }

  void Add(Kva kva) {
    CellReader sched(walk_, kva, "a scheduler");
    const auto part = [&](const MaybeMember& member) {
      return member ? std::optional(kva + member->offset) : std::nullopt;
    };
    ScxInstance instance;
    instance.sched = kva;
    instance.ops = part(sched_.ops);
    instance.exit_kind = part(sched_.exit_kind);
    instance.dsq_hash = part(sched_.dsq_hash);
    instance.level = sched_.level ? sched.Integer(sched_.level) : 0;
    if (const auto info = sched.Pointer(sched_.exit_info); info && !info->is_null()) {
      instance.exit_info = *info;
    }
    if (const auto array = sched.Pointer(sched_.global_dsqs); array && !array->is_null()) {
      instance.global_dsqs = NodePointers(*array);
    } else if (const auto nodes = sched.Pointer(sched_.pnode);
               nodes && !nodes->is_null() && pnode_.global_dsq) {
      instance.global_dsqs = NodePointers(*nodes);
      for (NodeDsq& node : instance.global_dsqs) node.dsq += pnode_.global_dsq->offset;
    }
    found_.push_back(std::move(instance));
  }

  // An array with a pointer for each possible node; nodes that cannot be are null.
  std::vector<NodeDsq> NodePointers(Kva array) const {
    const uint32_t nodes =
        std::clamp<uint32_t>(globals_.Read<uint32_t>({"nr_node_ids"}).value_or(1), 1, kMaxNodes);
    std::vector<NodeDsq> pointers;
    for (uint32_t node = 0; node < nodes; ++node) {
      const auto pointer = globals_.ReadAt<uint64_t>(array + node * sizeof(uint64_t),
                                                     "the global dispatch queue of a node");
      if (pointer && *pointer != 0) pointers.push_back({node, Kva(*pointer)});
    }
    return pointers;
  }

  Walk walk_;
  ScxSchedMembers sched_{walk_};
  ScxSchedPnodeMembers pnode_{walk_};
  Globals globals_;
  std::vector<ScxInstance> found_;
};

}  // namespace

std::vector<ScxInstance> ListScxInstances(const Walk& walk) { return InstanceFinder(walk).Find(); }

}  // namespace ktstr
