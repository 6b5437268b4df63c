// Rows that come from the archive rather than from the guest's memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/walk/row/row.h"
#include "libcore/walk/system/machine.h"
#include "replay/machine.h"

namespace ktstr {

struct MemoryRow {
  std::string fate;
  std::optional<std::string> reason;
  int64_t pages = 0;

  static const RowTable<MemoryRow>& Table();
};

struct TagRow {
  std::string key;
  std::string value;

  static const RowTable<TagRow>& Table();
};

// How many pages met which fate: present, duplicate, zero, not captured (with its reason), damaged.
// Those of a machine that runs are all present.
std::vector<MemoryRow> MemoryRows(Machine& machine);
std::vector<TagRow> TagRows(const ArchiveMetadata& metadata);
// The capture's part of the table "machine": captured_at, captured_by, trigger, digest and so on.
std::vector<MachineRow> CaptureRows(Machine& machine);

// Unix time in nanoseconds as "2026-01-31 12:00:00.123456789 UTC".
std::string FormatUnixTime(int64_t unix_ns);

}  // namespace ktstr
