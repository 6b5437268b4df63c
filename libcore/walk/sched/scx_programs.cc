#include "libcore/walk/sched/scx_programs.h"

#include <algorithm>
#include <vector>

#include "libcore/walk/bpf/map_type.h"

namespace ktstr {

ScxPrograms::ScxPrograms(const Walk& walk) : walk_(walk), names_(walk) {
  for (const BpfObject& object : ListBpfMaps(walk)) {
    CellReader reader(walk, object.kva, "a BPF map");
    if (reader.Integer(type_.map_type) == static_cast<int64_t>(BpfMapType::kStructOps))
      maps_.push_back(object);
  }
}

std::unordered_map<uint64_t, ScxProgram> ScxPrograms::Of(Kva ops,
                                                         const Structure& structure) const {
  std::unordered_map<uint64_t, ScxProgram> programs;
  const auto type = walk_.types.FindStruct(structure.name);
  if (!type || !map_.kernel_data || !map_.user_value || !value_.data) return programs;
  // The guest's own types say how large it is, and where its members are.
  constexpr uint64_t kMostBytes = 64 << 10;
  std::vector<uint64_t> callbacks(std::min(walk_.types.SizeOf(*type).value_or(0), kMostBytes) /
                                  sizeof(uint64_t));
  std::vector<uint64_t> of_map(callbacks.size()), ids(callbacks.size());
  const auto read = [&](Kva kva, std::vector<uint64_t>& words) {
    return walk_.kernel.Read(kva, std::as_writable_bytes(std::span<uint64_t>(words))).has_value();
  };
  if (!read(ops, callbacks)) return programs;
  for (const BpfObject& map : maps_) {
    const Kva kva = map.kva - (map_.map ? map_.map->offset : 0);
    CellReader object(walk_, kva, "a BPF map of type struct_ops");
    const auto user_value = object.Pointer(map_.user_value);
    if (!user_value || user_value->is_null()) continue;
    // A map of a smaller structure ends where its memory does: it is none of ours either way.
    if (!read(kva + map_.kernel_data->offset, of_map) ||
        !read(*user_value + value_.data->offset, ids)) {
      continue;
    }
    for (const NamedMember& callback : walk_.types.MembersOf(*type)) {
      const uint64_t word = callback.member.offset / sizeof(uint64_t);
      if (callback.member.kind != TypeKind::kPointer || word >= callbacks.size()) continue;
      if (callbacks[word] == 0) continue;
      if (callbacks[word] != of_map[word] || ids[word] == 0) continue;
      const auto id = static_cast<int64_t>(ids[word]);
      programs.insert_or_assign(callback.member.offset, ScxProgram{id, names_.NameOf(id)});
    }
  }
  return programs;
}

}  // namespace ktstr
