#include "libcore/walk/bpf/arena_contexts.h"

#include "libcore/walk/value/typed_value.h"

namespace ktstr {

void ArenaContexts::Add(const BpfMapShape& storage, size_t first,
                        std::vector<BpfMapValueRow>& values) {
  if (storage.types == nullptr || pointers_.empty()) return;
  const TypeInfo& types = *storage.types;
  const TypeId composite = types.Strip(storage.value_type);
  const TypeKind kind = types.KindOf(composite);
  if (kind != TypeKind::kStruct && kind != TypeKind::kUnion) return;
  const size_t end = values.size();
  for (const NamedMember& named : types.MembersOf(composite)) {
    if (named.member.kind != TypeKind::kPointer) continue;
    const TypeId target = types.Strip(types.Target(named.member.type));
    if (types.KindOf(target) != TypeKind::kStruct) continue;
    for (size_t i = first; i < end; ++i) {
      if (!values[i].pid || !values[i].value_kva) continue;
      auto row = Target(types, target, Kva(values[i].value_kva->value) + named.member.offset);
      if (!row) continue;
      row->key = values[i].key;
      row->pid = values[i].pid;
      row->task_kva = values[i].task_kva;
      values.push_back(*std::move(row));
    }
  }
}

std::optional<BpfMapValueRow> ArenaContexts::Target(const TypeInfo& types, TypeId type,
                                                    Kva pointer_at) {
  const auto pointer = walk_.kernel.Read<uint64_t>(pointer_at);
  if (!pointer) return std::nullopt;  // the value could not be read either, and that was told
  const BpfArena* arena = pointers_.ArenaOf(*pointer);
  if (arena == nullptr) return std::nullopt;
  const Kva kva = arena->KernelAddress(*pointer);
  const auto place = WholeObject(types, type, kva);
  if (!place) return std::nullopt;  // of a type that has no size
  auto value = ReadJson(walk_.kernel, types, *place);
  if (!value) {
    walk_.anomalies.Add(value.error(), kva, "a task's context in a BPF arena");
    return std::nullopt;
  }
  BpfMapValueRow row = {.map_id = arena->map_id, .value = *std::move(value)};
  row.value_kva = Hex(kva);
  return row;
}

}  // namespace ktstr
