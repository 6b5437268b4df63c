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
  std::optional<int64_t> inner_map_id;

  static const RowTable<BpfMapValueRow>& Table();
  friend bool operator==(const BpfMapValueRow&, const BpfMapValueRow&) = default;
};

struct BpfArenaPageRow {
  int64_t map_id = 0;
  int64_t page = 0;
  Hex user_address, page_kva;

  static const RowTable<BpfArenaPageRow>& Table();
  friend bool operator==(const BpfArenaPageRow&, const BpfArenaPageRow&) = default;
};

// An object in a list or tree of a BPF program's.
struct BpfElementRow {
  int64_t map_id = 0;
  std::string key;
  std::string container;
  Hex head_kva;
  int64_t position = 0;
  std::string type;
  std::optional<std::string> value;
  Hex element_kva;

  static const RowTable<BpfElementRow>& Table();
  friend bool operator==(const BpfElementRow&, const BpfElementRow&) = default;
};

struct BpfMapLimits {
  WalkLimits walk;
  size_t max_values_per_map = size_t{1} << 16;  // beyond that: an anomaly "cap"
  // Of the values of all maps together, in bytes of JSON. Elements can overlap: a guest needs no
  // memory to have many large ones.
  size_t max_text = size_t{256} << 20;
};

struct BpfMaps {
  std::vector<BpfMapRow> maps;
  std::vector<BpfMapValueRow> values;
  std::vector<BpfElementRow> elements;
  std::vector<BpfArenaPageRow> arena_pages;
  std::vector<AnomalyRow> anomalies;
};

// All maps; the values of arrays, hashes (LRU, per-CPU and those of maps, too), global data
// sections and those in arenas (a row for each variable), what pointers in tasks' storage lead to
// there, storage of tasks, cgroups, inodes and sockets, struct_ops, queues, stacks, tries, and what
// is unread in ring buffers; of bloom filters how full they are. Special fields of values are told
// as what they are (special_fields.h), and what their lists and trees hold are rows. Maps of other
// types have a row and no values. Errors: those of the kernel's types.
Result<BpfMaps> WalkBpfMaps(const GuestKernel& kernel, const BpfMapLimits& limits = {});

}  // namespace ktstr
