// BPF maps and their values, decoded by the maps' own BTF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct BpfMapRow {
  int64_t id = 0;
  std::optional<std::string> name, type;
  std::optional<int64_t> key_size, value_size, max_entries;
  std::optional<Hex> flags;
  std::optional<int64_t> entries;
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> frozen;
  std::optional<Hex> map_kva;

  static const RowTable<BpfMapRow>& Table();
  friend bool operator==(const BpfMapRow&, const BpfMapRow&) = default;
};

struct BpfMapValueRow {
  int64_t map_id = 0;
  std::optional<int64_t> cpu;
  std::string key;
  std::string value;
  std::optional<int64_t> pid;
  std::optional<Hex> task_kva;
  std::optional<Hex> value_kva;

  static const RowTable<BpfMapValueRow>& Table();
  friend bool operator==(const BpfMapValueRow&, const BpfMapValueRow&) = default;
};

struct BpfMapLimits {
  WalkLimits walk;
  size_t max_values_per_map = size_t{1} << 16;  // beyond that: an anomaly "cap"
};

struct BpfMaps {
  std::vector<BpfMapRow> maps;
  std::vector<BpfMapValueRow> values;
  std::vector<AnomalyRow> anomalies;
};

// All maps; the values of arrays, hashes (LRU and per-CPU ones, too), global data sections (a row
// for each variable), task and cgroup storage and struct_ops. Maps of other types have a row and no
// values. Errors: those of the kernel's types.
Result<BpfMaps> WalkBpfMaps(const GuestKernel& kernel, const BpfMapLimits& limits = {});

}  // namespace ktstr
