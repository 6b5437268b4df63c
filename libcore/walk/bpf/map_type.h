// The types of BPF maps whose values are read: enum bpf_map_type in include/uapi/linux/bpf.h.
#pragma once

#include <cstdint>

namespace ktstr {

enum class BpfMapType : int64_t {
  kHash = 1,
  kArray = 2,
  kPercpuHash = 5,
  kPercpuArray = 6,
  kLruHash = 9,
  kLruPercpuHash = 10,
  kLpmTrie = 11,
  kArrayOfMaps = 12,
  kHashOfMaps = 13,
  kQueue = 22,
  kStack = 23,
  kSocketStorage = 24,
  kStructOps = 26,
  kRingBuffer = 27,
  kInodeStorage = 28,
  kTaskStorage = 29,
  kBloomFilter = 30,
  kUserRingBuffer = 31,
  kCgroupStorage = 32,
  kArena = 33,
};

}  // namespace ktstr
