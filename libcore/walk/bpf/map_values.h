// The values of one BPF map.
#pragma once

#include <vector>

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/bpf/map.h"
#include "ktstr/walk/bpf/map_type.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/task_identity.h"

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
  const BpfMapLimits& limits_;
  TaskIdentities identities_;
  std::vector<CpuRef> cpus_;
  MaybeMember array_map_, array_value_, array_elem_size_;
  MaybeMember hash_map_, buckets_, n_buckets_, bucket_head_, elem_node_, elem_key_;
  uint64_t bucket_size_ = 0;
  MaybeMember storage_map_, storage_buckets_, storage_bucket_log_, storage_bucket_list_, map_node_,
      data_, local_storage_, owner_;
  uint64_t storage_bucket_size_ = 0;
  MaybeMember struct_ops_map_, kernel_value_;
  std::vector<BpfMapValueRow>* values_ = nullptr;
  size_t tried_ = 0;    // values of this map
  size_t missing_ = 0;  // what could not be read of it
  bool capped_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace ktstr
