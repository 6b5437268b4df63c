#include "libcore/walk/bpf/special_fields.h"

#include <utility>

#include "libcore/walk/value/value_json.h"

namespace ktstr {

BpfSpecialFields::BpfSpecialFields(const Walk& walk)
    : walk_(walk), async_(walk.NotingIn(noted_)), graph_(walk), kptrs_(walk.NotingIn(noted_)) {
  TellNoted();
}

std::optional<std::vector<ValueFact>> BpfSpecialFields::FactsOf(const SpecialPlace& place) {
  auto facts = FactsByType(place);
  if (const auto wrong = TellNoted(); wrong && facts) {
    facts->push_back({"damage", TextToJson(*wrong)});
  }
  return facts;
}

std::optional<std::string> BpfSpecialFields::TellNoted() {
  std::optional<std::string> first;
  const std::vector<AnomalyRow> noted = std::exchange(noted_, Anomalies("")).Take();
  for (const AnomalyRow& row : noted) {
    if (!first) first = row.detail;
    const auto at = row.address ? std::optional(Kva(row.address->value)) : std::nullopt;
    walk_.anomalies.Add(row.kind, at, row.detail);
  }
  return first;
}

std::optional<std::vector<ValueFact>> BpfSpecialFields::FactsByType(const SpecialPlace& place) {
  const TypeId type = place.types.Strip(place.type);
  const TypeKind kind = place.types.KindOf(type);
  if (kind == TypeKind::kPointer) return kptrs_.FactsOf(place);
  if (kind != TypeKind::kStruct) return std::nullopt;
  const std::string_view name = place.types.NameOf(type);
  if (!name.starts_with("bpf_")) return std::nullopt;
  if (name == "bpf_timer") return async_.TimerFacts(place.kva);
  if (name == "bpf_wq") return async_.WorkFacts(place.kva);
  if (name == "bpf_list_head") return graph_.ListFacts(place);
  if (name == "bpf_rb_root") return graph_.TreeFacts(place);
  if (name == "bpf_list_node") return graph_.ListNodeFacts(place.kva);
  if (name == "bpf_rb_node") return graph_.TreeNodeFacts(place.kva);
  if (name == "bpf_spin_lock" || name == "bpf_res_spin_lock") return LockFacts(place.kva);
  if (name == "bpf_refcount") return ReferenceFacts(place.kva);
  return std::nullopt;
}

// Either is an arch_spinlock_t or a rqspinlock_t: a word that is 0 while nobody has it or wants it.
std::vector<ValueFact> BpfSpecialFields::LockFacts(Kva kva) {
  const auto word = walk_.kernel.Read<uint32_t>(kva);
  if (word) return {{"locked", *word != 0 ? "true" : "false"}};
  noted_.Add(word.error(), kva, "a BPF program's lock");
  return {};
}

std::vector<ValueFact> BpfSpecialFields::ReferenceFacts(Kva kva) {
  const auto count = walk_.kernel.Read<uint32_t>(kva);
  if (count) return {{"references", std::to_string(*count)}};
  noted_.Add(count.error(), kva, "a BPF object's reference count");
  return {};
}

}  // namespace ktstr
