// Arrays (bpf_array, kernel/bpf/arraymap.c): the elements follow one another at `value`, elem_size
// bytes each. A map of one element whose type is a section holds global variables, each of which is
// a row. In a per-CPU array at `value` stands a per-CPU pointer for each element, and every CPU has
// a value of its own; in an array of maps (kernel/bpf/map_in_map.c) a pointer to the map.
#include "libcore/walk/bpf/inner_map.h"
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

namespace {

class ArrayReader : public BpfMapReader {
 public:
  explicit ArrayReader(const Walk& walk) : walk_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!array_.value || !array_.elem_size) return std::nullopt;
    const Kva container = ContainerOf(map.kva, array_.map);
    const Kva first = container + array_.value->offset;
    const bool pointers =
        map.type == BpfMapType::kPercpuArray || map.type == BpfMapType::kArrayOfMaps;
    if (!pointers && map.types != nullptr && !map.types->VariablesOf(map.value_type).empty()) {
      sink.AddSection(*map.types, map.value_type, first);
      return 1;
    }
    const uint64_t stride =
        pointers
            ? sizeof(uint64_t)
            : CellReader(walk_, container, "a BPF array").Unsigned(array_.elem_size).value_or(0);
    for (uint64_t index = 0; index < map.max_entries && !sink.done(); ++index) {
      const Kva at = first + index * stride;
      if (!Add(map, std::to_string(index), at, sink)) index += MoreInPage(at, stride);
    }
    return static_cast<int64_t>(map.max_entries);
  }

 private:
  // False when the element itself cannot be read.
  bool Add(const BpfMapShape& map, std::string key, Kva at, BpfValueSink& sink) {
    if (map.type == BpfMapType::kArrayOfMaps) {
      inner_.Add(std::move(key), at, sink);
      return true;
    }
    if (map.type != BpfMapType::kPercpuArray) return sink.Add(std::move(key), at) != nullptr;
    const auto percpu = walk_.kernel.Read<uint64_t>(at);
    if (percpu) {
      sink.AddPercpu(key, Kva(*percpu));
    } else {
      sink.Missing(percpu.error(), at, "its values");
    }
    return percpu.has_value();
  }

  Walk walk_;
  BpfArrayMembers array_{walk_};
  InnerMaps inner_{walk_};
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeArrayReader(const Walk& walk) {
  return std::make_unique<ArrayReader>(walk);
}

}  // namespace ktstr
