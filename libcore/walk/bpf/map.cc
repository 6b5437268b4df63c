#include "libcore/walk/bpf/map.h"

#include "libcore/walk/bpf/arena_contexts.h"
#include "libcore/walk/bpf/map_memory.h"
#include "libcore/walk/bpf/map_values.h"
#include "libcore/walk/bpf/object_types.h"
#include "libcore/walk/bpf/objects.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"

namespace ktstr {

namespace {

struct MapMembers : Fields {
  explicit MapMembers(const Walk& walk) : Fields(walk, "bpf_map") {}
  MaybeMember type = Need("map_type"), btf = Maybe("btf"), key_type = Maybe("btf_key_type_id"),
              value_type = Maybe("btf_value_type_id"),
              vmlinux_value_type = Maybe("btf_vmlinux_value_type_id");
};

class MapWalker {
 public:
  MapWalker(const Walk& walk, const BpfMapLimits& limits)
      : walk_(walk),
        type_names_(walk.types, {"bpf_map_type"}, "BPF_MAP_TYPE_"),
        object_types_(walk),
        values_(walk, limits, object_types_),
        contexts_(walk),
        memory_(walk) {}

  void Add(const BpfObject& object, BpfMaps& maps) {
    CellReader map(walk_, object.kva, "a BPF map");
    BpfMapRow row;
    row.id = object.id;
    row.map_kva = Hex(object.kva);
    columns_.Read(map, row);
    const auto type = map.Integer(map_.type);
    if (type) row.type = type_names_.NameOf(*type);
    if (type && row.key_size && row.value_size && row.max_entries) {
      const BpfMapShape shape = ShapeOf(object, static_cast<BpfMapType>(*type), row, map);
      const size_t before = maps.values.size();
      row.entries = values_.Read(shape, maps);
      if (shape.type == BpfMapType::kTaskStorage) contexts_.Add(shape, before, maps.values);
      row.memory_bytes =
          memory_.BytesOf(shape, row.flags ? row.flags->value : 0, row.entries.value_or(0));
    }
    maps.maps.push_back(std::move(row));
  }

 private:
  BpfMapShape ShapeOf(const BpfObject& object, BpfMapType type, const BpfMapRow& row,
                      CellReader& map) {
    BpfMapShape shape = {.id = object.id, .kva = object.kva, .type = type};
    shape.key_size = static_cast<uint64_t>(*row.key_size);
    shape.value_size = static_cast<uint64_t>(*row.value_size);
    shape.max_entries = static_cast<uint64_t>(*row.max_entries);
    if (const auto id = map.Unsigned(map_.vmlinux_value_type); id.value_or(0) != 0) {
      shape.types = &walk_.types;
      shape.value_type = TypeId{static_cast<uint32_t>(*id)};
    } else if (const auto btf = map.Pointer(map_.btf)) {
      shape.types = object_types_.At(*btf);
      shape.key_type = TypeId{static_cast<uint32_t>(map.Unsigned(map_.key_type).value_or(0))};
      shape.value_type = TypeId{static_cast<uint32_t>(map.Unsigned(map_.value_type).value_or(0))};
    }
    return shape;
  }

  Walk walk_;
  MapMembers map_{walk_};
  RowReader<BpfMapRow> columns_{walk_};
  EnumText type_names_;
  BpfObjectTypes object_types_;
  BpfMapValues values_;
  ArenaContexts contexts_;
  BpfMapMemory memory_;
};

}  // namespace

const RowTable<BpfMapRow>& BpfMapRow::Table() {
  using R = BpfMapRow;
  static const RowTable<R> table(
      "bpf_map", "The BPF maps of the kernel.", Structure{"bpf_map"},
      {
          Col<&R::id>("id", "", "The map's id."),
          ReadCol<&R::name>("name", "", "Name, at most 15 characters.", At("name")),
          Col<&R::type>("type", "", "BPF_MAP_TYPE_*, in lower case."),
          ReadCol<&R::key_size>("key_size", "bytes", "Size of a key.", At("key_size")),
          ReadCol<&R::value_size>("value_size", "bytes", "Size of a value.", At("value_size")),
          ReadCol<&R::max_entries>("max_entries", "", "Capacity.", At("max_entries")),
          ReadCol<&R::flags>("flags", "", "BPF_F_* it was made with.", At("map_flags")),
          Col<&R::entries>("entries", "",
                           "Entries found, of an arena its pages; NULL for types whose values are "
                           "not read."),
          Col<&R::memory_bytes>("memory_bytes", "bytes", "Kernel memory, as the kernel reckons."),
          ReadCol<&R::frozen>("frozen", "", "1 when programs alone may write it.",
                              MaybeAt("frozen")),
          Col<&R::map_kva>("map_kva", "", "Address of its struct bpf_map."),
      });
  return table;
}

const RowTable<BpfMapValueRow>& BpfMapValueRow::Table() {
  using R = BpfMapValueRow;
  static const RowTable<R> table(
      "bpf_map_value", "The values of BPF maps, decoded by the maps' own BTF.",
      {
          Col<&R::map_id>("map_id", "", "Map in table bpf_map."),
          Col<&R::cpu>("cpu", "", "CPU of a per-CPU value."),
          Col<&R::key>("key", "JSON",
                       "As JSON: the key, an array's index, the name of a global variable, the pid "
                       "of a task's storage; in a queue or stack how many come out before it, in a "
                       "ring buffer its number among the unread records."),
          Col<&R::value>(
              "value", "JSON",
              "As JSON; timers, work, locks, lists, trees and kptrs of the program's are "
              "objects that say what they are; of a map without BTF its bytes as "
              "hexadecimal digits."),
          Col<&R::pid>("pid", "",
                       "Thread whose value it is: of task storage, and of an arena what a pointer "
                       "in task storage leads to."),
          Col<&R::task_kva>("task_kva", "", "Address of its task_struct."),
          Col<&R::value_kva>("value_kva", "", "Address of the value."),
          Col<&R::inner_map_id>("inner_map_id", "",
                                "Map of maps: the map in bpf_map that stands there."),
      });
  return table;
}

const RowTable<BpfElementRow>& BpfElementRow::Table() {
  using R = BpfElementRow;
  static const RowTable<R> table(
      "bpf_element", "What the lists and trees hold that BPF programs keep in values of maps.",
      {
          Col<&R::map_id>("map_id", "", "Map in table bpf_map."),
          Col<&R::key>("key", "JSON", "Of the value in bpf_map_value with the list or tree in it."),
          Col<&R::container>("container", "", "list or rbtree."),
          Col<&R::head_kva>("head_kva", "",
                            "Address of the bpf_list_head or bpf_rb_root, perhaps in another "
                            "element."),
          Col<&R::position>("position", "", "Place in it, from 0."),
          Col<&R::type>("type", "", "The program's name for its structure."),
          Col<&R::value>("value", "JSON", "As JSON, as in bpf_map_value."),
          Col<&R::element_kva>("element_kva", "", "Address of the element."),
      });
  return table;
}

Result<BpfMaps> WalkBpfMaps(const GuestKernel& kernel, const BpfMapLimits& limits) {
  Anomalies anomalies("bpf_map");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits.walk));
  BpfMaps maps;
  const auto objects = ListBpfMaps(walk);
  if (!objects.empty()) {
    MapWalker walker(walk, limits);
    for (const BpfObject& object : objects) walker.Add(object, maps);
  }
  maps.anomalies = std::move(anomalies).Take();
  return maps;
}

}  // namespace ktstr
