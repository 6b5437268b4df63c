#include "libcore/walk/bpf/map_memory.h"

#include "libcore/walk/cpu/cpu_list.h"

namespace ktstr {

// The kernel keeps no number for this: each type of map has a function map_mem_usage that adds up
// what the map has allocated. The functions here do the same sums with the sizes of the structures
// in BTF.

namespace {

// include/uapi/linux/bpf.h.
constexpr uint64_t kNoPrealloc = 1;
constexpr uint64_t kMmapable = 1 << 10;
// HASHTAB_MAP_LOCK_COUNT in kernel/bpf/hashtab.c, before 6.15 (4fa8d68aa53e).
constexpr uint64_t kLocksPerCpu = 8;

uint64_t RoundUp(uint64_t bytes, uint64_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

BpfMapMemory::BpfMapMemory(const Walk& walk)
    : walk_(walk),
      cpus_(ListCpus(walk).size()),
      array_size_(walk.types.SizeOf("bpf_array").value_or(0)),
      hash_size_(walk.types.SizeOf("bpf_htab").value_or(0)),
      bucket_size_(walk.types.SizeOf("bucket").value_or(0)),
      storage_size_(walk.types.SizeOf("bpf_local_storage_map").value_or(0)),
      storage_bucket_size_(walk.types.SizeOf("bpf_local_storage_map_bucket").value_or(0)) {}

std::optional<int64_t> BpfMapMemory::BytesOf(const BpfMapShape& map, uint64_t flags,
                                             int64_t entries) const {
  switch (map.type) {
    case BpfMapType::kArray:
    case BpfMapType::kPercpuArray:
    case BpfMapType::kArrayOfMaps:
      return OfArray(map, flags);
    case BpfMapType::kHash:
    case BpfMapType::kLruHash:
    case BpfMapType::kPercpuHash:
    case BpfMapType::kLruPercpuHash:
    case BpfMapType::kHashOfMaps:
      return OfHash(map, flags, static_cast<uint64_t>(entries));
    case BpfMapType::kTaskStorage:
    case BpfMapType::kCgroupStorage:
    case BpfMapType::kInodeStorage:
    case BpfMapType::kSocketStorage:
      return OfLocalStorage(map);
    case BpfMapType::kQueue:
    case BpfMapType::kStack:
      // queue_stack_map_mem_usage() in kernel/bpf/queue_stack_maps.c.
      return walk_.types.SizeOf("bpf_queue_stack").value_or(0) +
             (map.max_entries + 1) * map.value_size;
    case BpfMapType::kRingBuffer:
    case BpfMapType::kUserRingBuffer:
      return OfRing(map);
    case BpfMapType::kLpmTrie:
      return OfTrie(map);
    case BpfMapType::kBloomFilter:
      return OfBloom(map);
    case BpfMapType::kStructOps:
    case BpfMapType::kArena:
      break;
  }
  return std::nullopt;
}

// array_map_mem_usage() in kernel/bpf/arraymap.c.
uint64_t BpfMapMemory::OfArray(const BpfMapShape& map, uint64_t flags) const {
  const uint64_t elements = map.max_entries * RoundUp(map.value_size, 8);
  if (map.type == BpfMapType::kPercpuArray) {
    return array_size_ + map.max_entries * sizeof(uint64_t) + elements * cpus_;
  }
  if ((flags & kMmapable) == 0) return array_size_ + elements;
  return RoundUp(array_size_, kPageSize) + RoundUp(elements, kPageSize);
}

// htab_map_mem_usage() in kernel/bpf/hashtab.c.
std::optional<uint64_t> BpfMapMemory::OfHash(const BpfMapShape& map, uint64_t flags,
                                             uint64_t entries) const {
  const Kva kva = ContainerOf(map.kva, hash_.map);
  CellReader table(walk_, kva, "a BPF hash");
  const auto buckets = table.Unsigned(hash_.n_buckets);
  const auto element = table.Unsigned(hash_.elem_size);
  if (!buckets || !element) return std::nullopt;
  const bool per_cpu =
      map.type == BpfMapType::kPercpuHash || map.type == BpfMapType::kLruPercpuHash;
  const bool lru = map.type == BpfMapType::kLruHash || map.type == BpfMapType::kLruPercpuHash;
  const uint64_t values = per_cpu ? RoundUp(map.value_size, 8) * cpus_ : 0;
  uint64_t bytes = hash_size_ + bucket_size_ * *buckets;
  if (hash_.locks) bytes += sizeof(int32_t) * cpus_ * kLocksPerCpu;
  if ((flags & kNoPrealloc) != 0) {
    constexpr uint64_t kListNode = sizeof(uint64_t);
    return bytes + entries * (*element + kListNode + (per_cpu ? 2 * kListNode + values : 0));
  }
  // One for each CPU, to update what is full; hashes of maps have none since 6.16.
  const bool extra_elements =
      !per_cpu && !lru && (!hash_.extra || table.Unsigned(hash_.extra).value_or(0) != 0);
  const uint64_t count = map.max_entries + (extra_elements ? cpus_ : 0);
  bytes += count * (*element + values);
  return per_cpu || lru ? bytes : bytes + sizeof(uint64_t) * cpus_;
}

// bpf_local_storage_map_mem_usage() in kernel/bpf/bpf_local_storage.c: elements are not counted.
std::optional<uint64_t> BpfMapMemory::OfLocalStorage(const BpfMapShape& map) const {
  const Kva kva = ContainerOf(map.kva, storage_.map);
  CellReader table(walk_, kva, "a BPF local storage map");
  const auto log = table.Unsigned(storage_.bucket_log);
  if (!log || *log > 32) return std::nullopt;
  return storage_size_ + (storage_bucket_size_ << *log);
}

// ringbuf_map_mem_usage() in kernel/bpf/ringbuf.c.
std::optional<uint64_t> BpfMapMemory::OfRing(const BpfMapShape& map) const {
  const auto ring = CellReader(walk_, ContainerOf(map.kva, ring_map_.map), "a BPF ring buffer")
                        .Pointer(ring_map_.ring);
  if (!ring || !ring_.data) return std::nullopt;
  const auto pages = CellReader(walk_, *ring, "a BPF ring buffer").Unsigned(ring_.pages);
  const auto size = walk_.types.SizeOf("bpf_ringbuf_map");
  if (!pages || !size) return std::nullopt;
  const uint64_t head_pages = ring_.data->offset / kPageSize;
  const uint64_t data_pages = map.max_entries / kPageSize;
  return *size + *pages * kPageSize + (head_pages + 2 * data_pages) * sizeof(uint64_t);
}

// trie_mem_usage() in kernel/bpf/lpm_trie.c.
std::optional<uint64_t> BpfMapMemory::OfTrie(const BpfMapShape& map) const {
  CellReader trie(walk_, ContainerOf(map.kva, trie_.map), "a BPF trie");
  const auto entries = trie.Unsigned(trie_.entries), data = trie.Unsigned(trie_.data_size);
  const auto node = walk_.types.SizeOf("lpm_trie_node");
  if (!entries || !data || !node) return std::nullopt;
  return *entries * (*node + *data + map.value_size);
}

// bloom_map_mem_usage() in kernel/bpf/bloom_filter.c.
std::optional<uint64_t> BpfMapMemory::OfBloom(const BpfMapShape& map) const {
  const auto mask = CellReader(walk_, ContainerOf(map.kva, bloom_.map), "a BPF bloom filter")
                        .Unsigned(bloom_.mask);
  const auto size = walk_.types.SizeOf("bpf_bloom_filter");
  if (!mask || !size) return std::nullopt;
  return *size + RoundUp((*mask + 1 + 7) / 8, sizeof(uint64_t));
}

}  // namespace ktstr
