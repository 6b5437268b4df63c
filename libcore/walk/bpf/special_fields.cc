#include "libcore/walk/bpf/special_fields.h"

namespace ktstr {

std::optional<std::vector<ValueFact>> BpfSpecialFields::FactsOf(const SpecialPlace& place) {
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
std::vector<ValueFact> BpfSpecialFields::LockFacts(Kva kva) const {
  const auto word = walk_.kernel.Read<uint32_t>(kva);
  if (word) return {{"locked", *word != 0 ? "true" : "false"}};
  walk_.anomalies.Add(word.error(), kva, "a BPF program's lock");
  return {};
}

std::vector<ValueFact> BpfSpecialFields::ReferenceFacts(Kva kva) const {
  const auto count = walk_.kernel.Read<uint32_t>(kva);
  if (count) return {{"references", std::to_string(*count)}};
  walk_.anomalies.Add(count.error(), kva, "a BPF object's reference count");
  return {};
}

}  // namespace ktstr
