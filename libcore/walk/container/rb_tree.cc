#include "libcore/walk/container/rb_tree.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

namespace ktstr {

// The nodes are visited in order, with a path of our own instead of recursion, so that a damaged
// tree of any depth is no danger. Every node must name the one that leads to it as its parent. A
// freeze in the middle of a rotation breaks that for a node or two: Settle() then decides by their
// other pointers who hangs where.

namespace {

// 2 log2(n + 1) for as many nodes as memory could hold.
constexpr int kMaxHeight = 128;

struct RbNode {
  uint64_t parent_and_colour;
  uint64_t right;
  uint64_t left;

  Kva parent() const { return Kva(parent_and_colour & ~uint64_t{3}); }
};

class TreeWalker {
 public:
  TreeWalker(const Walk& walk, std::string_view name) : walk_(walk), name_(name) {}

  std::vector<Kva> Run(Kva root) {
    std::vector<Kva> nodes;
    const auto top = walk_.Follow<uint64_t>(root);
    if (!top) {
      walk_.anomalies.Add(top.error(), root, fmt::format("{}: the tree's root", name_));
      return nodes;
    }
    // The nodes on the way down whose left side is being walked.
    std::vector<Pending> path;
    std::optional<Pending> next = Visit({}, Kva(*top));
    while (next || !path.empty()) {
      for (; next; next = Visit(path.back(), Kva(path.back().node.left))) path.push_back(*next);
      const Pending at = path.back();
      path.pop_back();
      nodes.push_back(at.kva);
      next = Visit(at, Kva(at.node.right));
    }
    return nodes;
  }

 private:
  // A node, or by default what is above the top one.
  struct Pending {
    Kva kva;
    RbNode node = {};
  };

  // The node to which `parent` leads when there is one and it belongs to the tree.
  std::optional<Pending> Visit(const Pending& parent, Kva kva) {
    if (kva.is_null() || capped_) return std::nullopt;
    if (visited_.size() >= walk_.limits.max_nodes || !walk_.meter->Take()) {
      capped_ = true;
      walk_.anomalies.Add("cap", kva,
                          fmt::format("{}: stopped after {} nodes", name_, visited_.size()));
      return std::nullopt;
    }
    if (walk_.limits.IsStopped()) {
      capped_ = true;
      walk_.anomalies.AddStopped(kva, name_);
      return std::nullopt;
    }
    if (visited_.contains(kva.value())) {
      walk_.anomalies.Add(
          "cycle", kva,
          fmt::format("{}: {:#x} leads to a node seen before", name_, parent.kva.value()));
      return std::nullopt;
    }
    const auto node = walk_.Follow<RbNode>(kva);
    if (!node) {
      walk_.anomalies.Add(node.error(), kva,
                          fmt::format("{}: a child of {:#x}", name_, parent.kva.value()));
      return std::nullopt;
    }
    std::optional<Pending> found = Pending{kva, *node};
    if (node->parent() != parent.kva) {
      walk_.anomalies.Add("damage", kva,
                          fmt::format("{}: {:#x} leads here, but the parent here is {:#x}", name_,
                                      parent.kva.value(), node->parent().value()));
      found = Settle(parent, *found);
    }
    if (found) visited_.insert(found->kva.value());
    return found;
  }

  // What to take for the child of `parent` when it leads to `child`, which has another one: a
  // freeze in the middle of a rotation or removal (lib/rbtree.c) leaves either pointer as it was a
  // moment ago. Nothing when `child` has nothing to do with the tree.
  std::optional<Pending> Settle(const Pending& parent, const Pending& child) const {
    const Kva claimed = child.node.parent();
    // What was between the two is out already.
    if (visited_.contains(claimed.value())) return child;
    if (claimed.is_null()) {
      const bool below_the_top = !parent.kva.is_null() && parent.node.parent().is_null();
      return below_the_top ? std::optional(child) : std::nullopt;
    }
    const auto between = walk_.Follow<RbNode>(claimed);
    if (!between || !HangsBelow(*between, parent, child)) return std::nullopt;
    // It is to come between the two; unless it is already on its way to another place.
    const bool leads_here = Kva(between->left) == child.kva || Kva(between->right) == child.kva;
    return leads_here ? Pending{claimed, *between} : child;
  }

  // Whether the parents of `node` lead to what was walked already.
  bool HangsBelow(const RbNode& node, const Pending& parent, const Pending& child) const {
    Kva above = node.parent();
    if (above == parent.kva || above == child.kva) return true;
    for (int height = 0; height < kMaxHeight && !above.is_null(); ++height) {
      if (visited_.contains(above.value())) return true;
      const auto next = walk_.Follow<RbNode>(above);
      if (!next) return false;
      above = next->parent();
    }
    return false;
  }

  Walk walk_;
  std::string_view name_;
  std::unordered_set<uint64_t> visited_;
  bool capped_ = false;
};

}  // namespace

std::vector<Kva> WalkRbTree(const Walk& walk, Kva root, std::string_view name) {
  return TreeWalker(walk, name).Run(root);
}

}  // namespace ktstr
