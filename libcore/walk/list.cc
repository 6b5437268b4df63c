#include "ktstr/walk/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace ktstr {

namespace {

struct ListHead {
  uint64_t next;
  uint64_t prev;
};

// One direction of a walk, as far as it goes.
struct Reach {
  std::vector<Kva> nodes;
  bool complete = false;
};

class ListWalker {
 public:
  ListWalker(const GuestKernel& kernel, Kva head, const WalkLimits& limits, std::string_view name,
             Anomalies& anomalies)
      : kernel_(kernel), head_(head), limits_(limits), name_(name), anomalies_(anomalies) {}

  std::vector<Kva> Walk() {
    Reach forward = Follow(&ListHead::next, &ListHead::prev, "next");
    if (forward.complete || capped_) return std::move(forward.nodes);
    // Visited nodes stay visited: the way back ends where the way forward did.
    Reach backward = Follow(&ListHead::prev, &ListHead::next, "prev");
    forward.nodes.insert(forward.nodes.end(), backward.nodes.rbegin(), backward.nodes.rend());
    return std::move(forward.nodes);
  }

 private:
  Reach Follow(uint64_t ListHead::*ahead, uint64_t ListHead::*behind, const char* direction) {
    Reach reach;
    const auto first = kernel_.Read<ListHead>(head_);
    if (!first) {
      anomalies_.Add(first.error(), head_, fmt::format("{}: the list's head", name_));
      return reach;
    }
    for (Kva at = head_, next((*first).*ahead);;) {
      if (next == head_) {
        reach.complete = true;
        return reach;
      }
      // Reached from the other end before: that walk has said why it stopped here.
      if (!visited_.insert(next.value()).second) {
        if (ahead == &ListHead::next) {
          anomalies_.Add("cycle", next,
                         fmt::format("{}: {} of {:#x} leads back to a node seen before", name_,
                                     direction, at.value()));
        }
        return reach;
      }
      if (visited_.size() > limits_.max_nodes) {
        anomalies_.Add("cap", next,
                       fmt::format("{}: stopped after {} nodes", name_, limits_.max_nodes));
        capped_ = true;
        return reach;
      }
      const auto links = kernel_.Read<ListHead>(next);
      if (!links) {
        anomalies_.Add(links.error(), next,
                       fmt::format("{}: {} of {:#x}", name_, direction, at.value()));
        return reach;
      }
      // A node that does not lead back is none: a wild pointer, or an insertion that the freeze cut
      // in two, whose other half the walk from the other end sees.
      if (Kva((*links).*behind) != at) {
        anomalies_.Add("damage", next,
                       fmt::format("{}: {} of {:#x} leads here, but from here back is {:#x}", name_,
                                   direction, at.value(), (*links).*behind));
        visited_.erase(next.value());
        return reach;
      }
      reach.nodes.push_back(next);
      at = next;
      next = Kva((*links).*ahead);
    }
  }

  const GuestKernel& kernel_;
  Kva head_;
  const WalkLimits& limits_;
  std::string_view name_;
  Anomalies& anomalies_;
  std::unordered_set<uint64_t> visited_;
  bool capped_ = false;
};

}  // namespace

std::vector<Kva> WalkList(const GuestKernel& kernel, Kva head, const WalkLimits& limits,
                          std::string_view name, Anomalies& anomalies) {
  return ListWalker(kernel, head, limits, name, anomalies).Walk();
}

}  // namespace ktstr
