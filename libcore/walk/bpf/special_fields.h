// What the kernel calls special fields of BPF programs' values (enum btf_field_type in
// include/linux/bpf.h): timers, work, locks, lists, trees, reference counts and kptrs. Programs
// declare them as opaque; what they are is in structures of the kernel's.
#pragma once

#include "libcore/walk/bpf/async_field.h"
#include "libcore/walk/bpf/graph_field.h"
#include "libcore/walk/bpf/kptr_field.h"
#include "libcore/walk/row/walk.h"
#include "libcore/walk/value/special_fields.h"

namespace ktstr {

class BpfSpecialFields : public SpecialFields {
 public:
  explicit BpfSpecialFields(const Walk& walk);
  BpfSpecialFields(const BpfSpecialFields&) = delete;  // its parts refer to it

  // What cannot be read is an anomaly and left out of the facts, of which "damage" then says why.
  std::optional<std::vector<ValueFact>> FactsOf(const SpecialPlace& place) override;

  // Has `see` be told of the elements of each list and tree that is asked for from now on.
  void SeeElements(BpfElementSeer see) { graph_.SeeElements(std::move(see)); }

 private:
  std::optional<std::vector<ValueFact>> FactsByType(const SpecialPlace& place);
  // Tells of what was noted; the first of it.
  std::optional<std::string> TellNoted();
  std::vector<ValueFact> LockFacts(Kva kva);
  std::vector<ValueFact> ReferenceFacts(Kva kva);

  Walk walk_;
  Anomalies noted_{""};  // of the value that is being looked at
  BpfAsyncFields async_;
  BpfGraphFields graph_;
  BpfKptrs kptrs_;
};

}  // namespace ktstr
