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
  kStructOps = 26,
  kTaskStorage = 29,
  kCgroupStorage = 32,
};

}  // namespace ktstr
