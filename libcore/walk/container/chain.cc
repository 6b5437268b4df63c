#include "libcore/walk/container/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace ktstr {

std::vector<Kva> WalkChain(const Walk& walk, Kva first, std::string_view name) {
  std::vector<Kva> nodes;
  std::unordered_set<uint64_t> visited;
  for (Kva at = first; !at.is_null() && (at.value() & 1) == 0;) {
    if (nodes.size() >= walk.limits.max_nodes || !walk.meter->Take()) {
      walk.anomalies.Add("cap", at, fmt::format("{}: stopped after {} nodes", name, nodes.size()));
      break;
    }
    if (walk.limits.IsStopped()) {
      walk.anomalies.AddStopped(at, name);
      break;
    }
    // Most chains are short: the set is only built for the others.
    if (nodes.size() == 16) {
      for (const Kva node : nodes) visited.insert(node.value());
    }
    const bool seen = nodes.size() < 16 ? std::find(nodes.begin(), nodes.end(), at) != nodes.end()
                                        : !visited.insert(at.value()).second;
    if (seen) {
      walk.anomalies.Add("cycle", at, fmt::format("{}: leads back to a node seen before", name));
      break;
    }
    const auto next = walk.Follow<uint64_t>(at);
    if (!next) {
      walk.anomalies.Add(next.error(), at, fmt::format("{}: a node", name));
      break;
    }
    nodes.push_back(at);
    at = Kva(*next);
  }
  return nodes;
}

}  // namespace ktstr
