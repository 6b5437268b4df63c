// sched_ext schedulers: what is loaded, what state it is in, how it ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct ScxRow {
  int64_t scheduler = 0;
  std::optional<int64_t> level, parent;
  std::optional<std::string> cgroup;
  std::optional<int64_t> sub_attached;
  std::optional<std::string> form;
  std::optional<std::string> ops_name, enable_state, ops_flags;
  std::optional<int64_t> switch_all, bypass_depth, enable_seq, nr_rejected, hotplug_seq;
  std::optional<int64_t> timeout_ms, dispatch_max_batch;
  std::optional<int64_t> watchdog_timeout_ms, watchdog_timestamp, watchdog_age_ms;
  std::optional<int64_t> oldest_runnable_pid, oldest_waiting_ms, watchdog_margin_ms;
  std::optional<std::string> exit_kind;
  std::optional<Hex> exit_code;
  std::optional<std::string> exit_reason, exit_message, exit_backtrace, exit_dump;
  std::optional<Hex> sched_kva, ops_kva;

  static const RowTable<ScxRow>& Table();
  friend bool operator==(const ScxRow&, const ScxRow&) = default;
};

// One callback of struct sched_ext_ops or sched_ext_ops_cid.
struct ScxOpRow {
  int64_t scheduler = 0;
  std::string op;
  int64_t set = 0;
  std::optional<int64_t> prog_id;
  std::optional<std::string> prog_name;
  std::optional<Hex> address;

  static const RowTable<ScxOpRow>& Table();
  friend bool operator==(const ScxOpRow&, const ScxOpRow&) = default;
};

// An event counter (struct scx_event_stats, 6.14 on), summed over all CPUs.
struct ScxEventRow {
  int64_t scheduler = 0;
  std::string event;
  int64_t count = 0;

  static const RowTable<ScxEventRow>& Table();
  friend bool operator==(const ScxEventRow&, const ScxEventRow&) = default;
};

struct ScxState {
  std::vector<ScxRow> schedulers;
  std::vector<ScxOpRow> ops;
  std::vector<ScxEventRow> events;
  std::vector<AnomalyRow> anomalies;
};

// All schedulers of the kernel; nothing when it has no sched_ext. Errors: those of the kernel's
// types; the rest is an anomaly.
Result<ScxState> WalkScx(const GuestKernel& kernel, const WalkLimits& limits = {});

// The scheduler at `sched`, a struct scx_sched, which may be in no list: one that ends before it
// was enabled. Its number is 0. Errors: those of the kernel's types; what cannot be read is not
// there.
Result<ScxRow> ReadScxScheduler(const GuestKernel& kernel, Kva sched);

}  // namespace ktstr
