#include "ktstr/walk/sched/scx_instance.h"

#include <algorithm>
#include <unordered_set>

#include "ktstr/walk/fields.h"
#include "ktstr/walk/globals.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {

// MAX_NUMNODES is at most 2^10 (NODES_SHIFT, arch/x86/Kconfig).
constexpr uint32_t kMaxNodes = 1024;

class InstanceFinder {
 public:
  explicit InstanceFinder(const Walk& walk) : walk_(walk), globals_(walk) {}

  std::vector<ScxInstance> Find() {
    if (globals_.Address({"scx_root"})) {
      FindFields();
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

  void FindFields() {
    Fields sched(walk_, "scx_sched");
    ops_ = sched.Need("ops");
    exit_kind_ = sched.Need("exit_kind");
    exit_info_ = sched.Need("exit_info");
    dsq_hash_ = sched.Need("dsq_hash");
    global_dsqs_ = sched.Maybe("global_dsqs");
    pnode_ = sched.Maybe("pnode");
    node_dsq_ = Fields(walk_, "scx_sched_pnode").Maybe("global_dsq");
    level_ = sched.Maybe("level");
    children_ = sched.Maybe("children");
    sibling_ = sched.Maybe("sibling");
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
      if (!children_ || !sibling_) continue;
      auto below = WalkList(walk_, kva + children_->offset, "sub-schedulers");
      for (auto node = below.rbegin(); node != below.rend(); ++node) {
        pending.push_back(*node - sibling_->offset);
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
    instance.ops = part(ops_);
    instance.exit_kind = part(exit_kind_);
    instance.dsq_hash = part(dsq_hash_);
    instance.level = level_ ? sched.Integer(level_) : 0;
    if (const auto info = sched.Pointer(exit_info_); info && !info->is_null()) {
      instance.exit_info = *info;
    }
    if (const auto array = sched.Pointer(global_dsqs_); array && !array->is_null()) {
      instance.global_dsqs = NodePointers(*array);
    } else if (const auto nodes = sched.Pointer(pnode_); nodes && !nodes->is_null() && node_dsq_) {
      instance.global_dsqs = NodePointers(*nodes);
      for (NodeDsq& node : instance.global_dsqs) node.dsq += node_dsq_->offset;
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
  Globals globals_;
  MaybeMember ops_, exit_kind_, exit_info_, dsq_hash_, global_dsqs_, pnode_, node_dsq_, level_,
      children_, sibling_;
  std::vector<ScxInstance> found_;
};

}  // namespace

std::vector<ScxInstance> ListScxInstances(const Walk& walk) { return InstanceFinder(walk).Find(); }

}  // namespace ktstr
