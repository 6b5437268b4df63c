// Hashes, LRU ones, too (bpf_htab, kernel/bpf/hashtab.c): an array of buckets, each a chain of
// elements. In an element the key is followed by the value, in a per-CPU hash by a per-CPU pointer
// to it and in a hash of maps by a pointer to the map, at the next multiple of 8.
#include <fmt/format.h>

#include "libcore/walk/bpf/bpf_buckets.h"
#include "libcore/walk/bpf/inner_map.h"
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

namespace {

struct BucketMembers : Fields {
  explicit BucketMembers(const Walk& walk) : Fields(walk, "bucket") {}
  MaybeMember head = Maybe("head.first");
};

struct ElementMembers : Fields {
  explicit ElementMembers(const Walk& walk) : Fields(walk, "htab_elem") {}
  MaybeMember node = Maybe("hash_node"), key = Maybe("key");
};

class HashReader : public BpfMapReader {
 public:
  explicit HashReader(const Walk& walk)
      : walk_(walk), bucket_size_(walk.types.SizeOf("bucket").value_or(0)) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!bucket_.head || !elem_.node || !elem_.key) return std::nullopt;
    CellReader table(walk_, ContainerOf(map.kva, hash_.map), "a BPF hash");
    const auto buckets = table.Pointer(hash_.buckets);
    const auto count = table.Unsigned(hash_.n_buckets);
    if (!buckets || !count) return std::nullopt;
    const std::string name = fmt::format("BPF map {}: a bucket", map.id);
    return ForEachInBuckets(walk_, {*buckets, *count, bucket_size_, bucket_.head->offset}, name,
                            sink, [&](Kva node) {
                              const Kva key = node - elem_.node->offset + elem_.key->offset;
                              Add(map, sink.KeyAt(key), key + RoundUp8(map.key_size), sink);
                            });
  }

 private:
  void Add(const BpfMapShape& map, std::string key, Kva value, BpfValueSink& sink) {
    switch (map.type) {
      case BpfMapType::kHashOfMaps:
        return inner_.Add(std::move(key), value, sink);
      case BpfMapType::kPercpuHash:
      case BpfMapType::kLruPercpuHash: {
        const auto percpu = walk_.kernel.Read<uint64_t>(value);
        if (!percpu) return sink.Missing(percpu.error(), value, "a value");
        return sink.AddPercpu(key, Kva(*percpu));
      }
      default:
        sink.Add(std::move(key), value);
    }
  }

  Walk walk_;
  BpfHashMembers hash_{walk_};
  BucketMembers bucket_{walk_};
  ElementMembers elem_{walk_};
  InnerMaps inner_{walk_};
  uint64_t bucket_size_;
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeHashReader(const Walk& walk) {
  return std::make_unique<HashReader>(walk);
}

}  // namespace ktstr
