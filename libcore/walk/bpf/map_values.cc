#include "libcore/walk/bpf/map_values.h"

#include <fmt/format.h>

#include "libcore/walk/container/chain.h"
#include "libcore/walk/value/value_json.h"

namespace ktstr {

// Where a map keeps its values depends on its type. A struct bpf_map is the member `map` of a
// larger structure, which has the rest:
// - array (bpf_array, kernel/bpf/arraymap.c): the elements follow one another at `value`, elem_size
//   bytes each. A map of one element whose type is a section holds global variables, each of which
//   is a row.
// - per-CPU array: at `value` stands a per-CPU pointer for each element, and every CPU has a value
//   of its own.
// - hash, also LRU (bpf_htab, kernel/bpf/hashtab.c): an array of buckets, each a chain of elements.
//   In an element the key is followed by the value, or in a per-CPU hash by a per-CPU pointer to
//   it, at the next multiple of 8.
// - storage of tasks and cgroups (bpf_local_storage_map, kernel/bpf/bpf_local_storage.c): buckets
//   of elements, too. An element leads to the storage of its owner, and that to the owner, which
//   stands for the key.
// - struct_ops (bpf_struct_ops_map, kernel/bpf/bpf_struct_ops.c): one value, `kvalue`.
//
// Keys and values are decoded by the BTF that came with the map; without any they are bytes.

namespace {

constexpr uint64_t kMaxValueBytes = uint64_t{64} << 20;
// A map that is larger than memory, for its size was overwritten, is not gone through to its end.
constexpr size_t kMaxMissing = 256;

// Keys and values in hash elements and per-CPU areas begin at multiples of 8.
uint64_t RoundUp8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

// What contains a struct bpf_map as its member `map`.
Kva ContainerOf(Kva map, const MaybeMember& member) { return map - (member ? member->offset : 0); }

// How many more pieces of `stride` bytes begin in the page of the one at `at`.
uint64_t MoreInPage(Kva at, uint64_t stride) {
  return stride == 0 ? 0 : (kPageSize - at.page_offset() - 1) / stride;
}

}  // namespace

BpfMapValues::BpfMapValues(const Walk& walk, const BpfMapLimits& limits)
    : walk_(walk), limits_(limits), identities_(walk), cpus_(ListCpus(walk)) {
  bucket_size_ = walk.types.SizeOf("bucket").value_or(0);
  storage_bucket_size_ = walk.types.SizeOf("bpf_local_storage_map_bucket").value_or(0);
}

std::optional<int64_t> BpfMapValues::Read(const BpfMapShape& map,
                                          std::vector<BpfMapValueRow>& values) {
  values_ = &values;
  tried_ = missing_ = 0;
  capped_ = false;
  switch (map.type) {
    case BpfMapType::kArray:
      return ReadArray(map);
    case BpfMapType::kPercpuArray:
      return ReadPercpuArray(map);
    case BpfMapType::kHash:
    case BpfMapType::kLruHash:
      return ReadHash(map, /*per_cpu=*/false);
    case BpfMapType::kPercpuHash:
    case BpfMapType::kLruPercpuHash:
      return ReadHash(map, /*per_cpu=*/true);
    case BpfMapType::kTaskStorage:
    case BpfMapType::kCgroupStorage:
      return ReadLocalStorage(map);
    case BpfMapType::kStructOps:
      return ReadStructOps(map);
  }
  return std::nullopt;
}

int64_t BpfMapValues::ReadArray(const BpfMapShape& map) {
  if (!array_.value || !array_.elem_size) return 0;
  CellReader array(walk_, ContainerOf(map.kva, array_.map), "a BPF array");
  const uint64_t stride = array.Unsigned(array_.elem_size).value_or(0);
  const Kva first = array.object().base() + array_.value->offset;
  if (map.types != nullptr && !map.types->VariablesOf(map.value_type).empty()) {
    AddSection(map, first);
    return 1;
  }
  for (uint64_t index = 0; index < map.max_entries && !capped_; ++index) {
    const Kva at = first + index * stride;
    if (AddValue(map, std::to_string(index), at) == nullptr) index += MoreInPage(at, stride);
  }
  return static_cast<int64_t>(map.max_entries);
}

int64_t BpfMapValues::ReadPercpuArray(const BpfMapShape& map) {
  if (!array_.value) return 0;
  const Kva pointers = ContainerOf(map.kva, array_.map) + array_.value->offset;
  for (uint64_t index = 0; index < map.max_entries && !capped_; ++index) {
    const Kva at = pointers + index * sizeof(uint64_t);
    const auto percpu = walk_.kernel.Read<uint64_t>(at);
    if (!percpu) {
      Missing(map, percpu.error(), at, "its values");
      index += MoreInPage(at, sizeof(uint64_t));
      continue;
    }
    AddPercpu(map, std::to_string(index), Kva(*percpu));
  }
  return static_cast<int64_t>(map.max_entries);
}

int64_t BpfMapValues::ReadHash(const BpfMapShape& map, bool per_cpu) {
  if (!hash_.buckets || !hash_.n_buckets || !bucket_.head || !elem_.node || !elem_.key) return 0;
  CellReader table(walk_, ContainerOf(map.kva, hash_.map), "a BPF hash");
  const auto buckets = table.Pointer(hash_.buckets);
  const auto count = table.Unsigned(hash_.n_buckets);
  if (!buckets || !count) return 0;
  int64_t entries = 0;
  const std::string name = fmt::format("BPF map {}: a bucket", map.id);
  for (uint64_t bucket = 0; bucket < *count && !capped_; ++bucket) {
    const Kva head = *buckets + bucket * bucket_size_ + bucket_.head->offset;
    const auto first = walk_.kernel.Read<uint64_t>(head);
    if (!first) {
      Missing(map, first.error(), head, "a bucket");
      bucket += MoreInPage(head, bucket_size_);
      continue;
    }
    for (const Kva node : WalkChain(walk_, Kva(*first), name)) {
      ++entries;
      const Kva key = node - elem_.node->offset + elem_.key->offset;
      const Kva value = key + RoundUp8(map.key_size);
      if (!per_cpu) {
        AddValue(map, KeyAt(map, key), value);
      } else if (const auto percpu = walk_.kernel.Read<uint64_t>(value)) {
        AddPercpu(map, KeyAt(map, key), Kva(*percpu));
      } else {
        Missing(map, percpu.error(), value, "a value");
      }
    }
  }
  return entries;
}

int64_t BpfMapValues::ReadLocalStorage(const BpfMapShape& map) {
  if (!storage_.buckets || !storage_.bucket_log || !element_.map_node || !element_.data ||
      !element_.local_storage || !owned_.owner || !storage_bucket_.list) {
    return 0;
  }
  CellReader table(walk_, ContainerOf(map.kva, storage_.map), "a BPF local storage map");
  const auto buckets = table.Pointer(storage_.buckets);
  const auto log = table.Unsigned(storage_.bucket_log);
  if (!buckets || !log || *log > 32) return 0;
  int64_t entries = 0;
  const std::string name = fmt::format("BPF map {}: a bucket", map.id);
  for (uint64_t bucket = 0; bucket < (uint64_t{1} << *log) && !capped_; ++bucket) {
    const Kva head = *buckets + bucket * storage_bucket_size_ + storage_bucket_.list->offset;
    const auto first = walk_.kernel.Read<uint64_t>(head);
    if (!first) {
      Missing(map, first.error(), head, "a bucket");
      bucket += MoreInPage(head, storage_bucket_size_);
      continue;
    }
    for (const Kva node : WalkChain(walk_, Kva(*first), name)) {
      ++entries;
      const Kva element = node - element_.map_node->offset;
      CellReader object(walk_, element, "an element of a BPF storage");
      const auto storage = object.Pointer(element_.local_storage);
      if (!storage || storage->is_null()) continue;  // it is being freed
      CellReader of_owner(walk_, *storage, "a BPF storage");
      const auto owner = of_owner.Pointer(owned_.owner);
      if (!owner || owner->is_null()) continue;
      const bool is_task = map.type == BpfMapType::kTaskStorage;
      const auto pid = is_task ? identities_.Of(*owner).pid : std::nullopt;
      BpfMapValueRow* row = AddValue(map, pid ? std::to_string(*pid) : ToText(Hex(*owner)),
                                     element + element_.data->offset);
      if (row == nullptr || !is_task) continue;
      row->pid = pid;
      row->task_kva = Hex(*owner);
    }
  }
  return entries;
}

int64_t BpfMapValues::ReadStructOps(const BpfMapShape& map) {
  if (!struct_ops_.kernel_value) return 0;
  AddValue(map, "0", ContainerOf(map.kva, struct_ops_.map) + struct_ops_.kernel_value->offset);
  return 1;
}

void BpfMapValues::AddSection(const BpfMapShape& map, Kva data) {
  for (const SectionVariable& variable : map.types->VariablesOf(map.value_type)) {
    if (capped_) return;
    AddValue(map, TextToJson(variable.name), data + variable.offset, map.types, variable.type,
             variable.size);
  }
}

void BpfMapValues::AddPercpu(const BpfMapShape& map, const std::string& key, Kva percpu) {
  if (percpu.is_null()) return;
  for (const CpuRef& cpu : cpus_) {
    const auto area = walk_.kernel.PerCpu(percpu, cpu.cpu);
    if (!area) {
      Missing(map, area.error(), percpu, "a value");
      continue;
    }
    if (BpfMapValueRow* row = AddValue(map, key, *area)) row->cpu = cpu.cpu;
  }
}

BpfMapValueRow* BpfMapValues::AddValue(const BpfMapShape& map, std::string key, Kva kva) {
  return AddValue(map, std::move(key), kva, map.types, map.value_type, map.value_size);
}

BpfMapValueRow* BpfMapValues::AddValue(const BpfMapShape& map, std::string key, Kva kva,
                                       const TypeInfo* types, TypeId type, uint64_t size) {
  if (capped_) return nullptr;
  if (tried_++ >= limits_.max_values_per_map || size > kMaxValueBytes) {
    capped_ = true;
    walk_.anomalies.Add("cap", map.kva,
                        fmt::format("BPF map {}: stopped after {} values", map.id, tried_ - 1));
    return nullptr;
  }
  buffer_.resize(size);
  if (const auto read = walk_.kernel.Read(kva, buffer_); !read) {
    Missing(map, read.error(), kva, fmt::format("the value of {}", key));
    return nullptr;
  }
  BpfMapValueRow row;
  row.map_id = map.id;
  row.key = std::move(key);
  row.value =
      types == nullptr || type == TypeId{0} ? BytesToJson(buffer_) : ToJson(*types, type, buffer_);
  row.value_kva = Hex(kva);
  values_->push_back(std::move(row));
  return &values_->back();
}

void BpfMapValues::Missing(const BpfMapShape& map, const Error& error, Kva at,
                           std::string_view what) {
  walk_.anomalies.Add(error, at, fmt::format("BPF map {}: {}", map.id, what));
  if (++missing_ < kMaxMissing || capped_) return;
  capped_ = true;
  walk_.anomalies.Add(
      "cap", map.kva,
      fmt::format("BPF map {}: stopped after {} places that cannot be read", map.id, missing_));
}

std::string BpfMapValues::KeyAt(const BpfMapShape& map, Kva kva) {
  buffer_.resize(std::min(map.key_size, kMaxValueBytes));
  if (const auto read = walk_.kernel.Read(kva, buffer_); !read) {
    Missing(map, read.error(), kva, "a key");
    return "null";
  }
  if (map.types == nullptr || map.key_type == TypeId{0}) return BytesToJson(buffer_);
  return ToJson(*map.types, map.key_type, buffer_);
}

}  // namespace ktstr
