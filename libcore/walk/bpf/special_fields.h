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
  explicit BpfSpecialFields(const Walk& walk)
      : walk_(walk), async_(walk), graph_(walk), kptrs_(walk) {}

  // What cannot be read is an anomaly, and left out of the facts.
  std::optional<std::vector<ValueFact>> FactsOf(const SpecialPlace& place) override;

  // Has `see` be told of the elements of each list and tree that is asked for from now on.
  void SeeElements(BpfElementSeer see) { graph_.SeeElements(std::move(see)); }

 private:
  std::vector<ValueFact> LockFacts(Kva kva) const;
  std::vector<ValueFact> ReferenceFacts(Kva kva) const;

  Walk walk_;
  BpfAsyncFields async_;
  BpfGraphFields graph_;
  BpfKptrs kptrs_;
};

}  // namespace ktstr
