#include "libcore/walk/container/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <tuple>
#include <unordered_set>

#include "libcore/walk/container/visited_nodes.h"

namespace ktstr {

// The list is followed by `next` from the head until it comes back there. Each node must lead back
// by `prev` to the one before it. If it does not, the neighbours decide: a node that one of them
// confirms belongs to the list, and those that only the way back knows are put in before it. Where
// the way forward ends for good, the list is followed by `prev` from the head for what is left.

namespace {

struct ListHead {
  uint64_t next;
  uint64_t prev;
};

// The two pointers of a node, by the direction of the walk.
struct Direction {
  uint64_t ListHead::*ahead;
  uint64_t ListHead::*behind;
  const char* name;
};
constexpr Direction kForward = {&ListHead::next, &ListHead::prev, "next"};
constexpr Direction kBackward = {&ListHead::prev, &ListHead::next, "prev"};

class ListWalker {
 public:
  ListWalker(const Walk& walk, Kva head, std::string_view name)
      : walk_(walk), head_(head), name_(name) {}

  void Run(const std::function<bool(Kva)>& visit) {
    if (Follow(kForward, visit) || ended_) return;
    // What is visited stays visited: the way back ends where the way forward did.
    std::vector<Kva> from_the_end;
    Follow(kBackward, [&](Kva node) {
      from_the_end.push_back(node);
      return true;
    });
    std::ignore = std::all_of(from_the_end.rbegin(), from_the_end.rend(), visit);
  }

 private:
  // Walks from the head until it comes round (true) or cannot go on (false).
  bool Follow(const Direction& way, const std::function<bool(Kva)>& visit) {
    const auto first = walk_.Follow<ListHead>(head_);
    if (!first) {
      walk_.anomalies.Add(first.error(), head_, fmt::format("{}: the list's head", name_));
      return false;
    }
    for (Kva at = head_, next((*first).*way.ahead); next != head_;) {
      if (visited_.contains(next.value())) {
        // On the way back this is where the way forward stopped, and said why.
        if (way.ahead == kForward.ahead) {
          walk_.anomalies.Add("cycle", next,
                              fmt::format("{}: {} of {:#x} leads back to a node seen before", name_,
                                          way.name, at.value()));
        }
        return false;
      }
      const auto links = walk_.Follow<ListHead>(next);
      if (!links) {
        walk_.anomalies.Add(links.error(), next,
                            fmt::format("{}: {} of {:#x}", name_, way.name, at.value()));
        return false;
      }
      if (Kva((*links).*way.behind) != at) {
        walk_.anomalies.Add("damage", next,
                            fmt::format("{}: {} of {:#x} leads here, but from here back is {:#x}",
                                        name_, way.name, at.value(), (*links).*way.behind));
        if (!BelongsToList(next, *links)) return false;
        if (!Visit(NodesBetween(way, at, next, *links), visit)) return false;
      }
      if (!Visit(std::span(&next, 1), visit)) return false;
      at = next;
      next = Kva((*links).*way.ahead);
    }
    return true;
  }

  // Whether a neighbour confirms that `node` stands beside it; a wild pointer's target has none.
  bool BelongsToList(Kva node, const ListHead& links) const {
    const auto next = walk_.Follow<ListHead>(Kva(links.next));
    if (next && Kva(next->prev) == node) return true;
    const auto prev = walk_.Follow<ListHead>(Kva(links.prev));
    return prev && Kva(prev->next) == node;
  }

  // Nodes that only the way back from `node` knows: a freeze in the middle of an insertion leaves
  // one pointer of its two neighbours not yet changed.
  std::vector<Kva> NodesBetween(const Direction& way, Kva at, Kva node,
                                const ListHead& links) const {
    std::vector<Kva> between;
    std::unordered_set<uint64_t> seen;
    Kva later = node;
    for (Kva earlier(links.*way.behind); earlier != at;) {
      const auto earlier_links = walk_.Follow<ListHead>(earlier);
      const bool confirmed = earlier_links && Kva((*earlier_links).*way.ahead) == later;
      if (!confirmed || earlier == head_ || visited_.contains(earlier.value())) break;
      // The gap is no gap but a ring that `node` is part of: it will be walked the other way round.
      if (earlier == node || !seen.insert(earlier.value()).second ||
          seen.size() > walk_.limits.max_nodes || walk_.limits.IsStopped()) {
        return {};
      }
      between.push_back(earlier);
      later = earlier;
      earlier = Kva((*earlier_links).*way.behind);
    }
    std::reverse(between.begin(), between.end());
    return between;
  }

  // False at the cap, where a stop is wanted, and where the visitor has seen enough.
  bool Visit(std::span<const Kva> more, const std::function<bool(Kva)>& visit) {
    for (const Kva node : more) {
      if (visited_.size() >= walk_.limits.max_nodes || !walk_.meter->Take()) {
        walk_.anomalies.Add("cap", node,
                            fmt::format("{}: stopped after {} nodes", name_, visited_.size()));
        ended_ = true;
        return false;
      }
      if (walk_.limits.IsStopped()) {
        walk_.anomalies.AddStopped(node, name_);
        ended_ = true;
        return false;
      }
      visited_.insert(node.value());
      if (!visit(node)) {
        ended_ = true;
        return false;
      }
    }
    return true;
  }

  Walk walk_;
  Kva head_;
  std::string_view name_;
  VisitedNodes visited_;
  bool ended_ = false;
};

}  // namespace

std::vector<Kva> WalkList(const Walk& walk, Kva head, std::string_view name) {
  std::vector<Kva> nodes;
  WalkEachOfList(walk, head, name, [&nodes](Kva node) { nodes.push_back(node); });
  return nodes;
}

void WalkEachOfList(const Walk& walk, Kva head, std::string_view name,
                    const std::function<void(Kva)>& visit) {
  WalkListWhile(walk, head, name, [&visit](Kva node) {
    visit(node);
    return true;
  });
}

void WalkListWhile(const Walk& walk, Kva head, std::string_view name,
                   const std::function<bool(Kva)>& visit) {
  ListWalker(walk, head, name).Run(visit);
}

}  // namespace ktstr
