// Lists and trees of objects that BPF programs keep in values: bpf_list_head and bpf_rb_root, and
// their links bpf_list_node and bpf_rb_node in the objects.
//
// The kernel's own structures lie in the opaque ones (kernel/bpf/helpers.c): a list_head, an
// rb_root_cached, and with a link also its owner, the head or root that it is in. What the elements
// are is said by a tag of the head's declaration, "contains:TYPE:MEMBER".
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "libcore/walk/row/fields.h"
#include "libcore/walk/value/special_fields.h"

namespace ktstr {

// An object in a list or tree.
struct BpfElement {
  Kva head;                    // the bpf_list_head or bpf_rb_root
  std::string_view container;  // "list" or "rbtree"
  size_t position;             // from 0
  Kva kva;
  const TypeInfo& types;
  TypeId type;
};

using BpfElementSeer = std::function<void(const BpfElement&)>;

class BpfGraphFields {
 public:
  explicit BpfGraphFields(const Walk& walk) : walk_(walk) {}

  void SeeElements(BpfElementSeer see) { see_ = std::move(see); }

  // How many "elements", of what "type", linked by which "member" (where the declaration says
  // so). "damage" says what was wrong first, where the list or tree is not whole; all of it are
  // anomalies.
  std::vector<ValueFact> ListFacts(const SpecialPlace& head);
  std::vector<ValueFact> TreeFacts(const SpecialPlace& root);
  // The head or root that it is in, null when in none.
  std::vector<ValueFact> ListNodeFacts(Kva node);
  std::vector<ValueFact> TreeNodeFacts(Kva node);

 private:
  struct ListNodeMembers : Fields {
    explicit ListNodeMembers(const Walk& walk) : Fields(walk, "bpf_list_node_kern") {}
    MaybeMember links = Maybe("list_head"), owner = Maybe("owner");
  };
  struct TreeNodeMembers : Fields {
    explicit TreeNodeMembers(const Walk& walk) : Fields(walk, "bpf_rb_node_kern") {}
    MaybeMember links = Maybe("rb_node"), owner = Maybe("owner");
  };

  enum class Container { kList, kTree };
  std::vector<ValueFact> FactsOf(const SpecialPlace& head, Container container);
  std::vector<Kva> NodesOf(Kva head, Container container, Anomalies& anomalies) const;
  std::vector<ValueFact> OwnerFacts(Kva node, const MaybeMember& owner) const;

  Walk walk_;
  ListNodeMembers list_node_{walk_};
  TreeNodeMembers tree_node_{walk_};
  BpfElementSeer see_;
};

}  // namespace ktstr
