// What the kernel's tracing (ftrace) had recorded: its ring buffers, and the events in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct TraceRow {
  std::optional<int64_t> seq;
  std::string buffer;
  int64_t snapshot = 0;
  int64_t cpu = 0;
  std::optional<int64_t> time_ns, time_raw, log_ns, age_ns;
  std::optional<int64_t> pid;
  std::optional<std::string> comm, flags;
  std::string system, event;
  std::optional<std::string> text, fields;
  std::optional<int64_t> missed;

  static const RowTable<TraceRow>& Table();
  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

// The ring of one CPU.
struct TraceBufferRow {
  std::string buffer;
  int64_t snapshot = 0;
  int64_t cpu = 0;
  std::optional<int64_t> recording;
  std::optional<std::string> tracer, clock;
  std::optional<int64_t> pages, subbuffer_bytes, entries, events, read, overrun, commit_overrun,
      dropped, first_ns, last_ns;

  static const RowTable<TraceBufferRow>& Table();
  friend bool operator==(const TraceBufferRow&, const TraceBufferRow&) = default;
};

struct TraceState {
  std::vector<TraceRow> events;  // oldest first, of all rings together
  std::vector<TraceBufferRow> buffers;
  std::vector<AnomalyRow> anomalies;
};

// So many events are told of, the newest, and so much of their text.
struct TraceLimits {
  size_t most_events = size_t{512} << 10;
  uint64_t most_bytes = uint64_t{64} << 20;  // of all rings: more than so many events take
  uint64_t most_text = uint64_t{256} << 20;  // of texts and fields, in bytes
  WalkLimits walk = {};
};

// All events that are committed and were not read, of the instance at the top and of those in
// /sys/kernel/tracing/instances, with their snapshots. Where nothing was ever traced it costs a few
// reads. Errors: those of GuestKernel::types. A kernel without tracing has neither buffers nor
// anomalies.
Result<TraceState> WalkTrace(const GuestKernel& kernel, const TraceLimits& limits = {});

}  // namespace ktstr
