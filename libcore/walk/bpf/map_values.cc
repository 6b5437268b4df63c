#include "libcore/walk/bpf/map_values.h"

namespace ktstr {

// Where a map keeps its values depends on its type; how each type does it is said at the begin of
// its reader's file. Keys and values are decoded by the BTF that came with the map; without any
// they are bytes.

BpfMapValues::BpfMapValues(const Walk& walk, const BpfMapLimits& limits, BpfObjectTypes& types)
    : sink_(walk, limits),
      array_(MakeArrayReader(walk)),
      hash_(MakeHashReader(walk)),
      storage_(MakeStorageReader(walk)),
      struct_ops_(MakeStructOpsReader(walk)),
      queue_(MakeQueueReader(walk)),
      ring_(MakeRingReader(walk)),
      trie_(MakeTrieReader(walk)),
      bloom_(MakeBloomReader(walk)),
      arenas_(walk, types) {}

std::optional<int64_t> BpfMapValues::Read(const BpfMapShape& map, BpfMaps& maps) {
  sink_.Begin(map, maps);
  if (map.type == BpfMapType::kArena) return arenas_.Read(map, sink_, maps.arena_pages);
  BpfMapReader* const reader = ReaderOf(map.type);
  return reader == nullptr ? std::nullopt : reader->Read(map, sink_);
}

BpfMapReader* BpfMapValues::ReaderOf(BpfMapType type) const {
  switch (type) {
    case BpfMapType::kArray:
    case BpfMapType::kPercpuArray:
    case BpfMapType::kArrayOfMaps:
      return array_.get();
    case BpfMapType::kHash:
    case BpfMapType::kLruHash:
    case BpfMapType::kPercpuHash:
    case BpfMapType::kLruPercpuHash:
    case BpfMapType::kHashOfMaps:
      return hash_.get();
    case BpfMapType::kTaskStorage:
    case BpfMapType::kCgroupStorage:
    case BpfMapType::kInodeStorage:
    case BpfMapType::kSocketStorage:
      return storage_.get();
    case BpfMapType::kStructOps:
      return struct_ops_.get();
    case BpfMapType::kQueue:
    case BpfMapType::kStack:
      return queue_.get();
    case BpfMapType::kRingBuffer:
    case BpfMapType::kUserRingBuffer:
      return ring_.get();
    case BpfMapType::kLpmTrie:
      return trie_.get();
    case BpfMapType::kBloomFilter:
      return bloom_.get();
    case BpfMapType::kArena:
      break;
  }
  return nullptr;
}

}  // namespace ktstr
