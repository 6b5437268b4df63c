// What a comparison of two archives finds, and the parts that it is asked for by.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/walk/row/row.h"

namespace ktstr {

enum class DiffPart { kTasks, kQueues, kScx, kMaps, kCounters, kMemory };

struct DiffPartInfo {
  DiffPart part;
  std::string_view name;   // on the command line and in JSON
  std::string_view title;  // in text
};

// In the order in which they are shown.
inline constexpr std::array<DiffPartInfo, 6> kDiffParts = {
    {{DiffPart::kTasks, "tasks", "Tasks"},
     {DiffPart::kQueues, "queues", "Queues"},
     {DiffPart::kScx, "scx", "sched_ext"},
     {DiffPart::kMaps, "maps", "BPF maps"},
     {DiffPart::kCounters, "counters", "Counters"},
     {DiffPart::kMemory, "memory", "Memory"}}};

// One thing that differs.
struct Difference {
  std::string change;   // "appeared", "gone", "changed"
  std::string subject;  // what: "task spin-0 (44)", "CPU 1"
  std::string field;    // what of it; empty when it appeared or is gone
  Value before, after;
  // Of counters: by how much, and how much of that in a second.
  std::optional<int64_t> delta;
  std::optional<double> per_second;
};

}  // namespace ktstr
