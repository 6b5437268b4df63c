#include "libcore/walk/bpf/kptr_field.h"

#include <algorithm>

#include "libcore/walk/row/row.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// BPF_KPTR_UNREF, BPF_KPTR_REF, BPF_KPTR_PERCPU, BPF_UPTR: btf_get_field_type in kernel/bpf/btf.c.
constexpr std::string_view kKptrTags[] = {"kptr", "kptr_untrusted", "percpu_kptr", "uptr"};

std::string_view KptrTag(const TypeInfo& types, TypeId pointer) {
  for (const std::string_view tag : types.TypeTagsOf(pointer)) {
    if (std::ranges::find(kKptrTags, tag) != std::end(kKptrTags)) return tag;
  }
  return {};
}

}  // namespace

std::optional<std::vector<ValueFact>> BpfKptrs::FactsOf(const SpecialPlace& place) const {
  const std::string_view tag = KptrTag(place.types, place.type);
  if (tag.empty()) return std::nullopt;
  const auto target = walk_.kernel.Read<Kva>(place.kva);
  if (!target) {
    walk_.anomalies.Add(target.error(), place.kva, "a kptr");
    return std::vector<ValueFact>();
  }
  const std::string_view type =
      place.types.NameOf(place.types.Strip(place.types.Target(place.type)));
  std::vector<ValueFact> facts = {
      {"address", target->is_null() ? "null" : TextToJson(ToText(Hex(*target)))},
      {"type", TextToJson(type)}};
  if (tag == "percpu_kptr") facts.push_back({"percpu", "true"});
  if (tag == "uptr") facts.push_back({"user", "true"});
  if (target->is_null()) return facts;
  if (type == "task_struct") AddTask(*target, facts);
  if (type == "bpf_cpumask") AddCpus(*target, facts);
  return facts;
}

void BpfKptrs::AddTask(Kva task, std::vector<ValueFact>& facts) const {
  const TaskIdentity identity = tasks_.Of(task);
  if (identity.pid) facts.push_back({"pid", std::to_string(*identity.pid)});
  if (identity.comm) facts.push_back({"comm", TextToJson(*identity.comm)});
}

void BpfKptrs::AddCpus(Kva cpumask, std::vector<ValueFact>& facts) const {
  CellReader object(walk_, cpumask, "a bpf_cpumask");
  if (const auto cpus = masks_.ListOf(object, cpumask_.mask)) {
    facts.push_back({"cpus", TextToJson(*cpus)});
  }
}

}  // namespace ktstr
