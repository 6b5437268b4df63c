// Storage of tasks, cgroups, inodes and sockets (bpf_local_storage_map,
// kernel/bpf/bpf_local_storage.c): buckets of elements. An element leads to the storage of its
// owner, and that to the owner, which stands for the key.
#include <fmt/format.h>

#include "libcore/walk/bpf/bpf_buckets.h"
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

namespace {

struct BucketMembers : Fields {
  explicit BucketMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_map_bucket") {}
  MaybeMember list = Maybe("list.first");
};

struct ElementMembers : Fields {
  explicit ElementMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_elem") {}
  MaybeMember map_node = Maybe("map_node"), data = Maybe("sdata.data"),
              local_storage = Maybe("local_storage");
};

struct OwnerMembers : Fields {
  explicit OwnerMembers(const Walk& walk) : Fields(walk, "bpf_local_storage") {}
  MaybeMember owner = Maybe("owner");
};

class StorageReader : public BpfMapReader {
 public:
  explicit StorageReader(const Walk& walk)
      : walk_(walk),
        identities_(walk),
        bucket_size_(walk.types.SizeOf("bpf_local_storage_map_bucket").value_or(0)) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!element_.map_node || !element_.data || !element_.local_storage || !owned_.owner ||
        !bucket_.list) {
      return std::nullopt;
    }
    CellReader table(walk_, ContainerOf(map.kva, storage_.map), "a BPF local storage map");
    const auto buckets = table.Pointer(storage_.buckets);
    const auto log = table.Unsigned(storage_.bucket_log);
    if (!buckets || !log || *log > 32) return std::nullopt;
    const std::string name = fmt::format("BPF map {}: a bucket", map.id);
    return ForEachInBuckets(
        walk_, {*buckets, uint64_t{1} << *log, bucket_size_, bucket_.list->offset}, name, sink,
        [&](Kva node) { Add(map, node - element_.map_node->offset, sink); });
  }

 private:
  void Add(const BpfMapShape& map, Kva element, BpfValueSink& sink) {
    CellReader object(walk_, element, "an element of a BPF storage");
    const auto storage = object.Pointer(element_.local_storage);
    if (!storage || storage->is_null()) return;  // it is being freed
    CellReader of_owner(walk_, *storage, "a BPF storage");
    const auto owner = of_owner.Pointer(owned_.owner);
    if (!owner || owner->is_null()) return;
    const bool is_task = map.type == BpfMapType::kTaskStorage;
    const auto pid = is_task ? identities_.Of(*owner).pid : std::nullopt;
    BpfMapValueRow* row =
        sink.Add(pid ? std::to_string(*pid) : ToText(Hex(*owner)), element + element_.data->offset);
    if (row == nullptr || !is_task) return;
    row->pid = pid;
    row->task_kva = Hex(*owner);
  }

  Walk walk_;
  StorageMapMembers storage_{walk_};
  BucketMembers bucket_{walk_};
  ElementMembers element_{walk_};
  OwnerMembers owned_{walk_};
  TaskIdentities identities_;
  uint64_t bucket_size_;
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeStorageReader(const Walk& walk) {
  return std::make_unique<StorageReader>(walk);
}

}  // namespace ktstr
