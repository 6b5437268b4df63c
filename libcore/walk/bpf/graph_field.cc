#include "libcore/walk/bpf/graph_field.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/container/rb_tree.h"
#include "libcore/walk/row/row.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

struct Contains {
  std::string_view type, member;
};

// Out of the tag that says it: "contains:TYPE:MEMBER", GRAPH_ROOT in kernel/bpf/btf.c.
std::optional<Contains> ContainsOf(std::span<const std::string_view> tags) {
  constexpr std::string_view kContains = "contains:";
  for (std::string_view tag : tags) {
    if (!tag.starts_with(kContains)) continue;
    tag.remove_prefix(kContains.size());
    const size_t colon = tag.find(':');
    if (colon == std::string_view::npos) continue;
    return Contains{tag.substr(0, colon), tag.substr(colon + 1)};
  }
  return std::nullopt;
}

// What owner is while an object is on its way into a container or out of it: BPF_PTR_POISON,
// include/linux/poison.h.
constexpr uint64_t kOwnerPoison = 0xeB9FUL + 0xdead000000000000UL;

}  // namespace

std::vector<ValueFact> BpfGraphFields::ListFacts(const SpecialPlace& head) {
  return FactsOf(head, Container::kList);
}

std::vector<ValueFact> BpfGraphFields::TreeFacts(const SpecialPlace& root) {
  return FactsOf(root, Container::kTree);
}

std::vector<ValueFact> BpfGraphFields::ListNodeFacts(Kva node) {
  return OwnerFacts(node, list_node_.owner);
}

std::vector<ValueFact> BpfGraphFields::TreeNodeFacts(Kva node) {
  return OwnerFacts(node, tree_node_.owner);
}

std::vector<ValueFact> BpfGraphFields::FactsOf(const SpecialPlace& head, Container container) {
  Anomalies wrong("");
  const std::vector<Kva> nodes = NodesOf(head.kva, container, wrong);
  std::vector<ValueFact> facts = {{"elements", std::to_string(nodes.size())}};
  const auto contains = ContainsOf(head.tags);
  if (contains) {
    facts.push_back({"type", TextToJson(contains->type)});
    facts.push_back({"member", TextToJson(contains->member)});
  }
  for (const AnomalyRow& row : wrong.rows()) {
    const auto at = row.address ? std::optional(Kva(row.address->value)) : std::nullopt;
    walk_.anomalies.Add(row.kind, at, row.detail);
  }
  if (!wrong.rows().empty()) facts.push_back({"damage", TextToJson(wrong.rows()[0].detail)});
  if (!see_ || !contains) return facts;
  const auto type = head.types.FindStruct(contains->type);
  const auto member =
      type ? head.types.FindMember(*type, contains->member) : tl::unexpected<Error>(type.error());
  if (!member) {
    walk_.anomalies.Add(member.error(), head.kva, "what a BPF program's list or tree contains");
    return facts;
  }
  // Before 6.6 a link had nothing but that.
  const MaybeMember& links = container == Container::kList ? list_node_.links : tree_node_.links;
  const uint64_t to_element = member->offset + (links ? links->offset : 0);
  const std::string_view name = container == Container::kList ? "list" : "rbtree";
  for (size_t i = 0; i < nodes.size(); ++i) {
    see_({head.kva, name, i, nodes[i] - to_element, head.types, *type});
  }
  return facts;
}

std::vector<Kva> BpfGraphFields::NodesOf(Kva head, Container container,
                                         Anomalies& anomalies) const {
  const Walk walk = walk_.NotingIn(anomalies);
  if (container == Container::kTree) {
    // An rb_root_cached begins with its rb_root; a node with its rb_node.
    return WalkRbTree(walk, head, fmt::format("the BPF tree at {:#x}", head.value()));
  }
  // A head that no program has used yet is all zeros: it is made at the first addition.
  const auto first = walk.kernel.Read<uint64_t>(head);
  if (first && *first == 0) return {};
  return WalkList(walk, head, fmt::format("the BPF list at {:#x}", head.value()));
}

std::vector<ValueFact> BpfGraphFields::OwnerFacts(Kva node, const MaybeMember& owner) const {
  if (!owner) return {};  // before 6.6
  const auto in = CellReader(walk_, node, "a link of a BPF object").Pointer(owner);
  if (!in) return {};
  if (in->value() == kOwnerPoison) return {{"in", R"("moving")"}};
  return {{"in", in->is_null() ? "null" : TextToJson(ToText(Hex(*in)))}};
}

}  // namespace ktstr
