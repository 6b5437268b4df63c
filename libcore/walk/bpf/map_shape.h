// What the reading of a BPF map's values depends on.
#pragma once

#include <cstdint>

#include "libcore/base/address.h"
#include "libcore/image/type_info.h"
#include "libcore/walk/bpf/map_type.h"

namespace ktstr {

// A struct bpf_map, decoded.
struct BpfMapShape {
  int64_t id;
  Kva kva;
  BpfMapType type;
  uint64_t key_size, value_size, max_entries;  // in bytes, bytes, count
  const TypeInfo* types;                       // of the map's BTF; null when it has none
  TypeId key_type, value_type;                 // void when unknown
};

}  // namespace ktstr
