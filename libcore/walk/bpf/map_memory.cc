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
// HASHTAB_MAP_LOCK_COUNT in kernel/bpf/hashtab.c.
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
      return OfArray(map, flags);
    case BpfMapType::kHash:
    case BpfMapType::kLruHash:
    case BpfMapType::kPercpuHash:
    case BpfMapType::kLruPercpuHash:
      return OfHash(map, flags, static_cast<uint64_t>(entries));
    case BpfMapType::kTaskStorage:
    case BpfMapType::kCgroupStorage:
      return OfLocalStorage(map);
    case BpfMapType::kStructOps:
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
  const Kva kva = map.kva - (hash_.map ? hash_.map->offset : 0);
  CellReader table(walk_, kva, "a BPF hash");
  const auto buckets = table.Unsigned(hash_.n_buckets);
  const auto element = table.Unsigned(hash_.elem_size);
  if (!buckets || !element) return std::nullopt;
  const bool per_cpu =
      map.type == BpfMapType::kPercpuHash || map.type == BpfMapType::kLruPercpuHash;
  const bool lru = map.type == BpfMapType::kLruHash || map.type == BpfMapType::kLruPercpuHash;
  const uint64_t values = per_cpu ? RoundUp(map.value_size, 8) * cpus_ : 0;
  uint64_t bytes = hash_size_ + bucket_size_ * *buckets + sizeof(int32_t) * cpus_ * kLocksPerCpu;
  if ((flags & kNoPrealloc) != 0) {
    constexpr uint64_t kListNode = sizeof(uint64_t);
    return bytes + entries * (*element + kListNode + (per_cpu ? 2 * kListNode + values : 0));
  }
  const bool extra_elements = !per_cpu && !lru;
  const uint64_t count = map.max_entries + (extra_elements ? cpus_ : 0);
  bytes += count * (*element + values);
  return extra_elements ? bytes + sizeof(uint64_t) * cpus_ : bytes;
}

// bpf_local_storage_map_mem_usage() in kernel/bpf/bpf_local_storage.c: elements are not counted.
std::optional<uint64_t> BpfMapMemory::OfLocalStorage(const BpfMapShape& map) const {
  const Kva kva = map.kva - (storage_.map ? storage_.map->offset : 0);
  CellReader table(walk_, kva, "a BPF local storage map");
  const auto log = table.Unsigned(storage_.bucket_log);
  if (!log || *log > 32) return std::nullopt;
  return storage_size_ + (storage_bucket_size_ << *log);
}

}  // namespace ktstr
