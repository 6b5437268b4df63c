// The values of one BPF map.
#pragma once

#include <memory>
#include <vector>

#include "libcore/walk/bpf/arena_map.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

class BpfMapValues {
 public:
  BpfMapValues(const Walk& walk, const BpfMapLimits& limits, BpfObjectTypes& types);

  // Appends the map's values, and of an arena its pages, to `maps`. How many entries it has;
  // nothing for a type of map whose values are not read.
  std::optional<int64_t> Read(const BpfMapShape& map, BpfMaps& maps);

 private:
  BpfMapReader* ReaderOf(BpfMapType type) const;

  BpfValueSink sink_;
  std::unique_ptr<BpfMapReader> array_, hash_, storage_, struct_ops_, queue_, ring_, trie_, bloom_;
  ArenaMaps arenas_;
};

}  // namespace ktstr
