// Readers of BPF maps: one for each way in which maps keep their values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "libcore/walk/bpf/map_shape.h"
#include "libcore/walk/bpf/value_sink.h"

namespace ktstr {

class BpfMapReader {
 public:
  virtual ~BpfMapReader() = default;
  // Puts the map's values into the sink, whose map it is. How many entries the map has; nothing
  // when that cannot be told.
  virtual std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) = 0;
};

// Each finds its members once; `walk` is copied.
std::unique_ptr<BpfMapReader> MakeArrayReader(const Walk& walk);      // array, of maps, per CPU
std::unique_ptr<BpfMapReader> MakeHashReader(const Walk& walk);       // hash, LRU, of maps, per CPU
std::unique_ptr<BpfMapReader> MakeStorageReader(const Walk& walk);    // of tasks, cgroups, …
std::unique_ptr<BpfMapReader> MakeStructOpsReader(const Walk& walk);  // struct_ops
std::unique_ptr<BpfMapReader> MakeQueueReader(const Walk& walk);      // queue, stack
std::unique_ptr<BpfMapReader> MakeRingReader(const Walk& walk);       // both ring buffers
std::unique_ptr<BpfMapReader> MakeTrieReader(const Walk& walk);       // LPM trie
std::unique_ptr<BpfMapReader> MakeBloomReader(const Walk& walk);      // bloom filter

}  // namespace ktstr
