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
      AddOthers();
    } else if (globals_.Address({"scx_ops"})) {
      AddStatic();
    }
    return std::move(found_);
  }

  ScxInstance At(Kva kva) const {
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
    if (const auto is_cid = sched.Integer(sched_.is_cid_type)) instance.is_cid_type = *is_cid != 0;
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
    return instance;
  }

 private:
  struct Pending {
    Kva kva;
    std::optional<size_t> parent;
  };

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
    std::vector<Pending> pending = {{root, std::nullopt}};
    while (!pending.empty()) {
      const auto [kva, parent] = pending.back();
      pending.pop_back();
      if (!seen_.insert(kva.value()).second) {
        walk_.anomalies.Add("cycle", kva, "a sub-scheduler met twice");
        continue;
      }
      if (seen_.size() > walk_.limits.max_nodes)
        return walk_.anomalies.Add("cap", kva, "sub-schedulers");
      found_.push_back(At(kva));
      found_.back().parent = parent;
      if (!sched_.children || !sched_.sibling) continue;
      const size_t number = found_.size() - 1;
      auto below = WalkList(walk_, kva + sched_.children->offset, "sub-schedulers");
      for (auto node = below.rbegin(); node != below.rend(); ++node) {
        pending.push_back({*node - sched_.sibling->offset, number});
      }
    }
  }

  // A scheduler is linked before it owns a task, and unlinked when it owns none any more
  // (scx_link_sched() and scx_unlink_sched() in kernel/sched/ext/ext.c).
  void AddOthers() {
    const auto list = globals_.Address({"scx_sched_all"});
    if (!list || !sched_.all) return;
    for (const Kva node : WalkList(walk_, *list, "scx_sched_all")) {
      const Kva kva = node - sched_.all->offset;
      if (seen_.size() >= walk_.limits.max_nodes) return;
      if (seen_.insert(kva.value()).second) found_.push_back(At(kva));
    }
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
  std::unordered_set<uint64_t> seen_;
};

}  // namespace

std::vector<ScxInstance> ListScxInstances(const Walk& walk) { return InstanceFinder(walk).Find(); }

ScxInstance ScxInstanceAt(const Walk& walk, Kva sched) { return InstanceFinder(walk).At(sched); }

ScxNumbers::ScxNumbers(const Walk& walk) {
  int64_t number = 0;
  for (const ScxInstance& instance : ListScxInstances(walk)) {
    if (instance.sched) numbers_.emplace(instance.sched->value(), number);
    ++number;
  }
}

std::optional<int64_t> ScxNumbers::Of(Kva sched) const {
  const auto found = numbers_.find(sched.value());
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace ktstr
