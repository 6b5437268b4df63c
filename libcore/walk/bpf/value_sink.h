// Where the readers of BPF maps put values: decoded by the map's BTF, counted against the limits,
// with an anomaly for what could not be read.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/map_shape.h"
#include "libcore/walk/bpf/special_fields.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

class BpfValueSink {
 public:
  // Of one value or key.
  static constexpr uint64_t kMaxValueBytes = uint64_t{64} << 20;

  BpfValueSink(const Walk& walk, const BpfMapLimits& limits);
  BpfValueSink(const BpfValueSink&) = delete;  // what sees elements refers to it

  // What follows are values of that map, which go into `maps` with what their lists and trees
  // hold.
  void Begin(const BpfMapShape& map, BpfMaps& maps);

  // Appends the value of `key` (JSON) that stands at `kva`. Null when it could not be read, or the
  // map is done(); what is returned is good until the next call.
  BpfMapValueRow* Add(std::string key, Kva kva);
  // The same of another type than the map's values have, declared with these tags; `types` may be
  // null.
  BpfMapValueRow* Add(std::string key, Kva kva, const TypeInfo* types, TypeId type, uint64_t size,
                      std::span<const std::string_view> tags = {});
  // A value that the caller has as JSON.
  BpfMapValueRow* AddJson(std::string key, Kva kva, std::string value);
  // The values that a per-CPU pointer leads to; none for null.
  void AddPercpu(const std::string& key, Kva percpu);
  // The rows of a section's variables, which begins at `data`.
  void AddSection(const TypeInfo& types, TypeId section, Kva data);

  // A key of the map's type at `kva` as JSON, "null" where it cannot be read.
  std::string KeyAt(Kva kva);

  // Says that memory at `at` could not be read; ends the map when there is too much of that.
  void Missing(const Error& error, Kva at, std::string_view what);
  // Says that the map's structure cannot be as it is there.
  void Damage(Kva at, std::string_view what);
  // Whether the map has as many values as it may have; no more are taken.
  bool done() const { return capped_; }

 private:
  bool Count(uint64_t size);
  // Whether there is room for so many bytes of text; ends the map where there is none.
  bool TakeText(size_t size);
  void AddElement(const BpfElement& element);

  Walk walk_;
  const BpfMapLimits& limits_;
  std::vector<CpuRef> cpus_;
  BpfMapShape map_ = {};
  BpfMaps* maps_ = nullptr;
  BpfSpecialFields special_;
  std::string key_;      // of the value that is being read
  int nesting_ = 0;      // of elements in elements
  size_t elements_ = 0;  // of this map
  size_t tried_ = 0;     // values of this map
  size_t missing_ = 0;   // what could not be read of it
  bool capped_ = false;
  size_t text_left_;  // of limits_.max_text, in bytes
  std::vector<std::byte> buffer_;
};

// How many more pieces of `stride` bytes begin in the page of the one at `at`: what is missing with
// it where that page is missing.
inline uint64_t MoreInPage(Kva at, uint64_t stride) {
  return stride == 0 ? 0 : (kPageSize - at.page_offset() - 1) / stride;
}

// Keys and values in hash elements and per-CPU areas begin at multiples of 8.
inline uint64_t RoundUp8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

}  // namespace ktstr
