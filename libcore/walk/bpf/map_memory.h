// How much kernel memory a BPF map takes, reckoned as the kernel does (map_mem_usage).
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_shape.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

class BpfMapMemory {
 public:
  explicit BpfMapMemory(const Walk& walk);

  // In bytes, for a map with BPF_F_* `flags` and `entries` elements in it; nothing for types of map
  // that are not reckoned.
  std::optional<int64_t> BytesOf(const BpfMapShape& map, uint64_t flags, int64_t entries) const;

 private:
  uint64_t OfArray(const BpfMapShape& map, uint64_t flags) const;
  std::optional<uint64_t> OfHash(const BpfMapShape& map, uint64_t flags, uint64_t entries) const;
  std::optional<uint64_t> OfLocalStorage(const BpfMapShape& map) const;
  std::optional<uint64_t> OfRing(const BpfMapShape& map) const;
  std::optional<uint64_t> OfTrie(const BpfMapShape& map) const;
  std::optional<uint64_t> OfBloom(const BpfMapShape& map) const;

  Walk walk_;
  BpfHashMembers hash_{walk_};
  StorageMapMembers storage_{walk_};
  BpfRingMapMembers ring_map_{walk_};
  BpfRingMembers ring_{walk_};
  BpfTrieMembers trie_{walk_};
  BpfBloomMembers bloom_{walk_};
  uint64_t cpus_;
  uint64_t array_size_, hash_size_, bucket_size_, storage_size_, storage_bucket_size_;
};

}  // namespace ktstr
