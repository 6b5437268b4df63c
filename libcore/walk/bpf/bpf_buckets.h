// The buckets of BPF maps that are hash tables.
#pragma once

#include <functional>
#include <string_view>

#include "libcore/walk/bpf/value_sink.h"
#include "libcore/walk/container/chain.h"

namespace ktstr {

// An array of buckets, in each of which a chain begins.
struct BpfBuckets {
  Kva first;
  uint64_t count;
  uint64_t stride;       // bytes of a bucket
  uint64_t head_offset;  // where the pointer to a bucket's first node is
};

// Calls `each` with every node, bucket by bucket. What cannot be read is told to the sink. How many
// nodes there were.
inline int64_t ForEachInBuckets(const Walk& walk, const BpfBuckets& buckets, std::string_view name,
                                BpfValueSink& sink, const std::function<void(Kva)>& each) {
  int64_t entries = 0;
  for (uint64_t bucket = 0; bucket < buckets.count && !sink.done(); ++bucket) {
    const Kva head = buckets.first + bucket * buckets.stride + buckets.head_offset;
    const auto first = walk.kernel.Read<uint64_t>(head);
    if (!first) {
      sink.Missing(first.error(), head, "a bucket");
      bucket += MoreInPage(head, buckets.stride);
      continue;
    }
    for (const Kva node : WalkChain(walk, Kva(*first), name)) {
      ++entries;
      each(node);
    }
  }
  return entries;
}

}  // namespace ktstr
