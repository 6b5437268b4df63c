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
      const BpfMapValueRow of = values[i];
      if (!of.pid || !of.value_kva) continue;
      AddTarget(types, target, of, Kva(of.value_kva->value) + named.member.offset, values);
    }
  }
}

void ArenaContexts::AddTarget(const TypeInfo& types, TypeId type, const BpfMapValueRow& of,
                              Kva pointer_at, std::vector<BpfMapValueRow>& values) {
  const auto pointer = walk_.kernel.Read<uint64_t>(pointer_at);
  if (!pointer) return;  // the value could not be read either, and that was told
  const BpfArena* arena = pointers_.ArenaOf(*pointer);
  if (arena == nullptr) return;
  const Kva kva = arena->KernelAddress(*pointer);
  const auto place = WholeObject(types, type, kva);
  if (!place) return;  // of a type that has no size
  auto value = ReadJson(walk_.kernel, types, *place);
  if (!value) {
    walk_.anomalies.Add(value.error(), kva, "a task's context in a BPF arena");
    return;
  }
  BpfMapValueRow row = {.map_id = arena->map_id, .key = of.key, .value = *std::move(value)};
  row.pid = of.pid;
  row.task_kva = of.task_kva;
  row.value_kva = Hex(kva);
  values.push_back(std::move(row));
}

}  // namespace ktstr
