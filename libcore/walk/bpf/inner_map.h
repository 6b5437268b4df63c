// Maps whose values are maps.
#pragma once

#include <string>

#include "libcore/walk/bpf/value_sink.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

// Adds the map to which the pointer at `kva` leads as the value of `key`: its id, as bpf(2) gives
// it for such a value. An array's empty place has no value.
class InnerMaps {
 public:
  explicit InnerMaps(const Walk& walk) : walk_(walk), id_(Fields(walk, "bpf_map").Maybe("id")) {}

  void Add(std::string key, Kva kva, BpfValueSink& sink) const {
    const auto map = walk_.kernel.Read<uint64_t>(kva);
    if (!map) return sink.Missing(map.error(), kva, "an inner map");
    if (*map == 0) return;
    const auto id = CellReader(walk_, Kva(*map), "an inner BPF map").Integer(id_);
    BpfMapValueRow* row = sink.AddJson(std::move(key), kva, id ? std::to_string(*id) : "null");
    if (row != nullptr) row->inner_map_id = id;
  }

 private:
  Walk walk_;
  MaybeMember id_;
};

}  // namespace ktstr
