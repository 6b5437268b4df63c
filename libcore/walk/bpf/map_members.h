// Members of the structures that maps are part of, for the kinds of map that are read in more than
// one place. A struct bpf_map is the member `map` of a larger structure, which has the rest.
#pragma once

#include "libcore/walk/row/fields.h"

namespace ktstr {

struct BpfArrayMembers : Fields {
  explicit BpfArrayMembers(const Walk& walk) : Fields(walk, "bpf_array") {}
  MaybeMember map = Maybe("map"), value = Maybe("value"), elem_size = Maybe("elem_size");
};

struct BpfHashMembers : Fields {
  explicit BpfHashMembers(const Walk& walk) : Fields(walk, "bpf_htab") {}
  MaybeMember map = Maybe("map"), buckets = Maybe("buckets"), n_buckets = Maybe("n_buckets"),
              elem_size = Maybe("elem_size"), locks = Maybe("map_locked"),
              extra = Maybe("extra_elems");
};

struct StorageMapMembers : Fields {
  explicit StorageMapMembers(const Walk& walk) : Fields(walk, "bpf_local_storage_map") {}
  MaybeMember map = Maybe("map"), buckets = Maybe("buckets"), bucket_log = Maybe("bucket_log");
};

struct BpfQueueMembers : Fields {
  explicit BpfQueueMembers(const Walk& walk) : Fields(walk, "bpf_queue_stack") {}
  MaybeMember map = Maybe("map"), head = Maybe("head"), tail = Maybe("tail"), size = Maybe("size"),
              elements = Maybe("elements");
};

struct BpfRingMapMembers : Fields {
  explicit BpfRingMapMembers(const Walk& walk) : Fields(walk, "bpf_ringbuf_map") {}
  MaybeMember map = Maybe("map"), ring = Maybe("rb");
};

struct BpfRingMembers : Fields {
  explicit BpfRingMembers(const Walk& walk) : Fields(walk, "bpf_ringbuf") {}
  MaybeMember mask = Maybe("mask"), pages = Maybe("nr_pages"), consumer = Maybe("consumer_pos"),
              producer = Maybe("producer_pos"), overwritten = Maybe("overwrite_pos"),
              data = Maybe("data");
};

struct BpfTrieMembers : Fields {
  explicit BpfTrieMembers(const Walk& walk) : Fields(walk, "lpm_trie") {}
  MaybeMember map = Maybe("map"), root = Maybe("root"), entries = Maybe("n_entries"),
              data_size = Maybe("data_size");
};

struct BpfBloomMembers : Fields {
  explicit BpfBloomMembers(const Walk& walk) : Fields(walk, "bpf_bloom_filter") {}
  MaybeMember map = Maybe("map"), mask = Maybe("bitset_mask"), functions = Maybe("nr_hash_funcs"),
              bits = Maybe("bitset");
};

// What contains a struct bpf_map as its member `map`.
inline Kva ContainerOf(Kva map, const MaybeMember& member) {
  return map - (member ? member->offset : 0);
}

}  // namespace ktstr
