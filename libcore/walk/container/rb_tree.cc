#include "ktstr/walk/container/rb_tree.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

namespace ktstr {

namespace {

struct RbNode {
  uint64_t parent_and_colour;
  uint64_t right;
  uint64_t left;

  Kva parent() const { return Kva(parent_and_colour & ~uint64_t{3}); }
};

class TreeWalker {
 public:
  TreeWalker(const GuestKernel& kernel, const WalkLimits& limits, std::string_view name,
             Anomalies& anomalies)
      : kernel_(kernel), limits_(limits), name_(name), anomalies_(anomalies) {}

  std::vector<Kva> Walk(Kva root) {
    std::vector<Kva> nodes;
    const auto top = kernel_.Read<uint64_t>(root);
    if (!top) {
      anomalies_.Add(top.error(), root, fmt::format("{}: the tree's root", name_));
      return nodes;
    }
    // The nodes on the way down whose left side is being walked.
    std::vector<Pending> path;
    std::optional<Pending> next = Visit(Kva(), Kva(*top));
    while (next || !path.empty()) {
      for (; next; next = Visit(path.back().kva, Kva(path.back().node.left))) path.push_back(*next);
      const Pending at = path.back();
      path.pop_back();
      nodes.push_back(at.kva);
      next = Visit(at.kva, Kva(at.node.right));
    }
    return nodes;
  }

 private:
  struct Pending {
    Kva kva;
    RbNode node;
  };

  // The node at `kva` when there is one and it belongs to the tree.
  std::optional<Pending> Visit(Kva parent, Kva kva) {
    if (kva.is_null() || capped_) return std::nullopt;
    if (visited_.size() >= limits_.max_nodes) {
      capped_ = true;
      anomalies_.Add("cap", kva,
                     fmt::format("{}: stopped after {} nodes", name_, limits_.max_nodes));
      return std::nullopt;
    }
    if (visited_.contains(kva.value())) {
      anomalies_.Add("cycle", kva,
                     fmt::format("{}: {:#x} leads to a node seen before", name_, parent.value()));
      return std::nullopt;
    }
    const auto node = kernel_.Read<RbNode>(kva);
    if (!node) {
      anomalies_.Add(node.error(), kva, fmt::format("{}: a child of {:#x}", name_, parent.value()));
      return std::nullopt;
    }
    if (node->parent() != parent) {
      anomalies_.Add("damage", kva,
                     fmt::format("{}: {:#x} leads here, but the parent here is {:#x}", name_,
                                 parent.value(), node->parent().value()));
      // A freeze in the middle of a rotation leaves a parent of a moment ago.
      if (!node->parent().is_null() && !visited_.contains(node->parent().value())) {
        return std::nullopt;
      }
    }
    visited_.insert(kva.value());
    return Pending{kva, *node};
  }

  const GuestKernel& kernel_;
  const WalkLimits& limits_;
  std::string_view name_;
  Anomalies& anomalies_;
  std::unordered_set<uint64_t> visited_;
  bool capped_ = false;
};

}  // namespace

std::vector<Kva> WalkRbTree(const GuestKernel& kernel, Kva root, const WalkLimits& limits,
                            std::string_view name, Anomalies& anomalies) {
  return TreeWalker(kernel, limits, name, anomalies).Walk(root);
}

}  // namespace ktstr
