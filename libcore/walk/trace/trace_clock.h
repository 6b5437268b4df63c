// The clocks of the kernel's tracing, and how they go with that of the kernel log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/walk/row/fields.h"

namespace ktstr {

struct TraceClock {
  std::string name;  // as in /sys/kernel/tracing/trace_clock: "local", "mono", …
  bool is_in_ns = false;
  enum class Base : uint8_t { kOther, kSchedClock, kLocalClock, kMonotonic } base = Base::kOther;
};

class TraceClocks {
 public:
  explicit TraceClocks(const Walk& walk);
  // Reads what the clocks said last. What cannot be read is an anomaly.
  void Read();

  // By the function that a trace_buffer has as its clock.
  TraceClock Of(Kva function) const;
  // A time of that clock, on that CPU, by the log's clock; nothing where they do not go together.
  std::optional<int64_t> LogTime(const TraceClock& clock, uint32_t cpu, int64_t time) const;
  // The newest time of that clock that is known apart from events.
  std::optional<int64_t> Newest(const TraceClock& clock) const;

 private:
  struct ClockDataMembers : Fields {
    explicit ClockDataMembers(const Walk& walk)
        : Fields(walk, Structure{"sched_clock_data", "", true}) {}
    MaybeMember tick_raw = Maybe("tick_raw"), tick_gtod = Maybe("tick_gtod");
  };

  void ReadCpu(uint32_t cpu, std::optional<int64_t> gtod_offset);

  Walk walk_;
  ClockDataMembers data_;
  MaybeMember rq_clock_;
  std::vector<std::optional<int64_t>> to_log_;  // by CPU: what to add to sched_clock's time
  std::optional<int64_t> stable_offset_;
  std::optional<int64_t> newest_sched_, newest_local_, newest_mono_;
};

}  // namespace ktstr
