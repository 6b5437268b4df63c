#include "libcore/walk/trace/trace_clock.h"

#include <algorithm>

#include "libcore/walk/members/rq.h"
#include "libcore/walk/row/globals.h"
#include "libcore/walk/system/timer_clock.h"

namespace ktstr {

// The clock "local" of tracing is sched_clock() as it is; the log has local_clock(), which is
// sched_clock() with an offset: of the whole machine where sched_clock() can be relied on
// (__sched_clock_offset), else of each CPU, taken anew at every tick (kernel/sched/clock.c).

namespace {

using Base = TraceClock::Base;

struct KnownClock {
  std::string_view function, name;
  bool is_in_ns;
  Base base;
};
// kernel/trace/trace.c: trace_clocks.
constexpr KnownClock kClocks[] = {
    {"trace_clock_local", "local", true, Base::kSchedClock},
    {"trace_clock_global", "global", true, Base::kSchedClock},
    {"trace_clock_counter", "counter", false, Base::kOther},
    {"trace_clock_jiffies", "uptime", false, Base::kOther},
    {"trace_clock", "perf", true, Base::kLocalClock},
    {"ktime_get_mono_fast_ns", "mono", true, Base::kMonotonic},
    {"ktime_get_raw_fast_ns", "mono_raw", true, Base::kOther},
    {"ktime_get_boot_fast_ns", "boot", true, Base::kOther},
    {"ktime_get_tai_fast_ns", "tai", true, Base::kOther},
    {"trace_clock_x86_tsc", "x86-tsc", false, Base::kOther},
};

void Raise(std::optional<int64_t>& newest, std::optional<int64_t> time) {
  if (time && (!newest || *newest < *time)) newest = time;
}

// What a guest says may be anything.
int64_t Sum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t Difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

TraceClocks::TraceClocks(const Walk& walk)
    : walk_(walk),
      data_(walk),
      rq_clock_(Fields(walk, kRqStruct).Find(rq_member::kClock, /*needed=*/false)) {}

void TraceClocks::Read() {
  const Globals globals(walk_);
  const auto stable = globals.Read<int32_t>({"__sched_clock_stable"});
  stable_offset_ = globals.Read<int64_t>({"__sched_clock_offset"});
  // Without either the architecture's clock is one that can always be relied on.
  if (!stable && !stable_offset_) stable_offset_ = 0;
  if (stable && *stable <= 0) stable_offset_.reset();
  const auto gtod_offset = globals.Read<int64_t>({"__gtod_offset"});
  const auto cpus = walk_.kernel.CpuCount();
  if (!cpus) return;
  for (uint32_t cpu = 0; cpu < *cpus; ++cpu) ReadCpu(cpu, gtod_offset);
  newest_mono_ = ReadMonotonicNs(walk_);
}

void TraceClocks::ReadCpu(uint32_t cpu, std::optional<int64_t> gtod_offset) {
  to_log_.push_back(stable_offset_);
  if (const auto rq = walk_.kernel.PerCpu("runqueues", cpu)) {
    CellReader object(walk_, *rq, "a run queue");
    const auto clock = object.Integer(rq_clock_);
    Raise(newest_local_, clock);
    if (clock && stable_offset_) Raise(newest_sched_, Difference(*clock, *stable_offset_));
  }
  if (stable_offset_ || !data_.tick_raw) return;
  const auto data = walk_.kernel.PerCpu("sched_clock_data", cpu);
  if (!data) return;
  CellReader object(walk_, *data, "the clock of a CPU");
  const auto raw = object.Integer(data_.tick_raw), gtod = object.Integer(data_.tick_gtod);
  Raise(newest_sched_, raw);
  if (raw && gtod && gtod_offset) to_log_.back() = Difference(Sum(*gtod, *gtod_offset), *raw);
}

TraceClock TraceClocks::Of(Kva function) const {
  const auto symbol = walk_.kernel.symbols().FindAt(function.value());
  if (!symbol || symbol->address != function.value()) return {};
  for (const KnownClock& clock : kClocks) {
    // The address may have several names.
    if (clock.function == symbol->name || Globals(walk_).Address({clock.function}) == function) {
      return {std::string(clock.name), clock.is_in_ns, clock.base};
    }
  }
  return {std::string(symbol->name), false, Base::kOther};
}

std::optional<int64_t> TraceClocks::LogTime(const TraceClock& clock, uint32_t cpu,
                                            int64_t time) const {
  if (clock.base == Base::kLocalClock) return time;
  if (clock.base != Base::kSchedClock || cpu >= to_log_.size() || !to_log_[cpu])
    return std::nullopt;
  return Sum(time, *to_log_[cpu]);
}

std::optional<int64_t> TraceClocks::Newest(const TraceClock& clock) const {
  switch (clock.base) {
    case Base::kSchedClock:
      return newest_sched_;
    case Base::kLocalClock:
      return newest_local_;
    case Base::kMonotonic:
      return newest_mono_;
    case Base::kOther:
      break;
  }
  return std::nullopt;
}

}  // namespace ktstr
