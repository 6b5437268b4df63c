// The values of one BPF map.
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/map_type.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

// What the reading of a map's values depends on: its struct bpf_map, decoded.
struct BpfMapShape {
  int64_t id;
  Kva kva;
  BpfMapType type;
  uint64_t key_size, value_size, max_entries;  // in bytes, bytes, count
  const TypeInfo* types;                       // of the map's BTF; null when it has none
  TypeId key_type, value_type;                 // void when unknown
};

struct BpfArrayMembers : Fields {
  explicit BpfArrayMembers(const Walk& walk) : Fields(walk, "bpf_array") {}
  MaybeMember map = Maybe("map"), value = Maybe("value"), elem_size = Maybe("elem_size");
};

struct BpfHashMembers : Fields {
  explicit BpfHashMembers(const Walk& walk) : Fields(walk, "bpf_htab") {}
  MaybeMember map = Maybe("map"), buckets = Maybe("buckets"), n_buckets = Maybe("n_buckets"),
              elem_size = Maybe("elem_size");
};

struct BpfBucketMembers : Fields {
  explicit BpfBucketMembers(const Walk& walk) : Fields(walk, "bucket") {}
  MaybeMember head = Maybe("head.first");
};

struct BpfElementMembers : Fields {
  explicit BpfElementMembers(const Walk& walk) : Fields(walk, "htab_elem") {}
  MaybeMember node = Maybe("hash_node"), key = Maybe("key");
};

struct StorageMapMembers : Fields {
  explicit StorageMapMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_map") {}
  MaybeMember map = Maybe("map"), buckets = Maybe("buckets"), bucket_log = Maybe("bucket_log");
};

struct StorageBucketMembers : Fields {
  explicit StorageBucketMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_map_bucket") {}
  MaybeMember list = Maybe("list.first");
};

struct StorageElementMembers : Fields {
  explicit StorageElementMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_elem") {}
  MaybeMember map_node = Maybe("map_node"), data = Maybe("sdata.data"),
              local_storage = Maybe("local_storage");
};

struct StorageOwnerMembers : Fields {
  explicit StorageOwnerMembers(const Walk& walk) : Fields(walk, "bpf_local_storage") {}
  MaybeMember owner = Maybe("owner");
};

struct StructOpsMembers : Fields {
  explicit StructOpsMembers(const Walk& walk) : Fields(walk, "bpf_struct_ops_map") {}
  MaybeMember map = Maybe("map"), kernel_value = Maybe("kvalue");
};

class BpfMapValues {
 public:
  BpfMapValues(const Walk& walk, const BpfMapLimits& limits);

  // Appends the map's values to `values`. How many entries it has; nothing for a type of map whose
  // values are not read.
  std::optional<int64_t> Read(const BpfMapShape& map, std::vector<BpfMapValueRow>& values);

 private:
  int64_t ReadArray(const BpfMapShape& map);
  int64_t ReadPercpuArray(const BpfMapShape& map);
  int64_t ReadHash(const BpfMapShape& map, bool per_cpu);
  int64_t ReadLocalStorage(const BpfMapShape& map);
  int64_t ReadStructOps(const BpfMapShape& map);
  void AddSection(const BpfMapShape& map, Kva data);
  void AddPercpu(const BpfMapShape& map, const std::string& key, Kva percpu);
  BpfMapValueRow* AddValue(const BpfMapShape& map, std::string key, Kva kva);
  BpfMapValueRow* AddValue(const BpfMapShape& map, std::string key, Kva kva, const TypeInfo* types,
                           TypeId type, uint64_t size);
  std::string KeyAt(const BpfMapShape& map, Kva kva);
  // Says that memory at `at` could not be read; ends the map when there is too much of that.
  void Missing(const BpfMapShape& map, const Error& error, Kva at, std::string_view what);

  Walk walk_;
  BpfArrayMembers array_{walk_};
  BpfHashMembers hash_{walk_};
  BpfBucketMembers bucket_{walk_};
  BpfElementMembers elem_{walk_};
  StorageMapMembers storage_{walk_};
  StorageBucketMembers storage_bucket_{walk_};
  StorageElementMembers element_{walk_};
  StorageOwnerMembers owned_{walk_};
  StructOpsMembers struct_ops_{walk_};
  const BpfMapLimits& limits_;
  TaskIdentities identities_;
  std::vector<CpuRef> cpus_;
  uint64_t bucket_size_ = 0;
  uint64_t storage_bucket_size_ = 0;
  std::vector<BpfMapValueRow>* values_ = nullptr;
  size_t tried_ = 0;    // values of this map
  size_t missing_ = 0;  // what could not be read of it
  bool capped_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace ktstr
