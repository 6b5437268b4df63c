#include "libcore/walk/trace/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/trace/event_record.h"
#include "libcore/walk/trace/trace_array.h"
#include "libcore/walk/trace/trace_buffer.h"
#include "libcore/walk/trace/trace_clock.h"
#include "libcore/walk/trace/trace_comms.h"
#include "libcore/walk/trace/trace_flags.h"

namespace ktstr {

// Rings are taken apart first, into events that know when they were and where their bytes are.
// Those of all rings are put in order of time, the newest are kept, and these are decoded.

namespace {

struct TracedRing {
  const TraceArrayRef* array;
  TraceClock clock;
  CpuRing ring;
};

struct TracedEvent {
  uint64_t time;
  uint32_t ring;  // in `rings_`
  std::optional<uint64_t> missed;
  std::span<const std::byte> record;
};

// Numbers of a guest's may be anything.
int64_t Less(int64_t from, int64_t number) {
  return static_cast<int64_t>(static_cast<uint64_t>(from) - static_cast<uint64_t>(number));
}

class TraceWalker {
 public:
  TraceWalker(const Walk& walk, const TraceLimits& limits)
      : walk_(walk),
        limits_(limits),
        arrays_(walk),
        reader_(walk),
        clocks_(walk),
        formats_(walk),
        comms_(walk),
        flags_(walk.types) {}

  TraceState Run() {
    const std::vector<TraceArrayRef> arrays = arrays_.Read();
    if (arrays.empty() || !reader_.can_read()) return std::move(state_);
    ReadRings(arrays);
    std::vector<TracedEvent> events = Ordered();
    if (!events.empty()) Decode(events);
    return std::move(state_);
  }

 private:
  struct BufferMembers : Fields {
    explicit BufferMembers(const Walk& walk) : Fields(walk, Structure{"trace_buffer", "", true}) {}
    MaybeMember disabled = Need("record_disabled.counter"), clock = Need("clock");
  };
  struct RingMembers : Fields {
    explicit RingMembers(const Walk& walk)
        : Fields(walk, Structure{"ring_buffer_per_cpu", "", true}) {}
    MaybeMember disabled = Need("record_disabled.counter");
  };
  struct EntryMembers : Fields {
    explicit EntryMembers(const Walk& walk) : Fields(walk, Structure{"trace_entry", "", true}) {}
    MaybeMember type = Need("type"), flags = Need("flags"), preempt = Need("preempt_count"),
                pid = Need("pid");
  };

  void ReadRings(const std::vector<TraceArrayRef>& arrays);
  void ReadRing(const TraceArrayRef& array, const TraceClock& clock, bool on, uint32_t cpu, Kva kva,
                uint64_t size, uint64_t most_bytes);
  std::vector<TracedEvent> Ordered();
  void Decode(const std::vector<TracedEvent>& events);
  TraceRow Row(const TracedEvent& event);
  void Describe(const TracedEvent& event, TraceRow& row);
  std::optional<uint64_t> HeaderNumber(const TracedEvent& event, const MaybeMember& member) const;

  Walk walk_;
  TraceLimits limits_;
  TraceArrays arrays_;
  TraceBufferReader reader_;
  TraceClocks clocks_;
  EventFormats formats_;
  TraceComms comms_;
  TraceFlags flags_;
  BufferMembers buffer_{walk_};
  RingMembers ring_{walk_};
  EntryMembers entry_{walk_};
  RowReader<TraceBufferRow> counters_{walk_};
  std::unique_ptr<EventNames> names_;
  std::vector<TracedRing> rings_;
  std::map<std::string, int64_t> newest_;  // by clock
  uint64_t text_left_ = 0;
  TraceState state_;
};

void TraceWalker::ReadRings(const std::vector<TraceArrayRef>& arrays) {
  std::vector<std::vector<std::pair<uint32_t, Kva>>> rings;
  size_t count = 0;
  for (const TraceArrayRef& array : arrays) {
    rings.push_back(reader_.RingsOf(array.buffer));
    count += rings.back().size();
  }
  uint64_t bytes_left = limits_.most_bytes;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const auto size = reader_.SubBufferSize(arrays[i].buffer);
    CellReader buffer(walk_, arrays[i].buffer, "a trace buffer");
    const auto function = buffer.Pointer(buffer_.clock);
    const auto disabled = buffer.Unsigned(buffer_.disabled);
    if (!size) continue;
    const TraceClock clock = function ? clocks_.Of(*function) : TraceClock();
    for (const auto& [cpu, kva] : rings[i]) {
      // What one ring does not need the others may have.
      const uint64_t most_bytes = bytes_left / count--;
      ReadRing(arrays[i], clock, disabled == uint64_t{0}, cpu, kva, *size, most_bytes);
      for (const auto& page : rings_.back().ring.pages) {
        bytes_left -= std::min<uint64_t>(bytes_left, page.bytes.size());
      }
    }
  }
}

void TraceWalker::ReadRing(const TraceArrayRef& array, const TraceClock& clock, bool on,
                           uint32_t cpu, Kva kva, uint64_t size, uint64_t most_bytes) {
  TracedRing traced{&array, clock, reader_.Read(cpu, kva, size, most_bytes)};
  TraceBufferRow row;
  row.buffer = array.name;
  row.snapshot = array.snapshot ? 1 : 0;
  row.cpu = cpu;
  row.tracer = array.tracer;
  if (!clock.name.empty()) row.clock = clock.name;
  row.subbuffer_bytes = static_cast<int64_t>(size);
  CellReader object(walk_, kva, "a trace ring");
  counters_.Read(object, row);
  // What was overwritten or read counts as entered.
  if (row.entries) {
    row.entries = Less(Less(*row.entries, row.overrun.value_or(0)), row.read.value_or(0));
  }
  if (const auto disabled = object.Unsigned(ring_.disabled)) {
    row.recording = on && *disabled == 0 && !array.snapshot ? 1 : 0;
  }
  int64_t events = 0;
  for (const CpuRing::SubBuffer& page : traced.ring.pages) {
    if (page.page.events.empty()) continue;
    events += static_cast<int64_t>(page.page.events.size());
    if (!clock.is_in_ns) continue;
    if (!row.first_ns) row.first_ns = static_cast<int64_t>(page.page.events.front().time);
    row.last_ns = static_cast<int64_t>(page.page.events.back().time);
  }
  row.events = events;
  state_.buffers.push_back(std::move(row));
  rings_.push_back(std::move(traced));
}

std::vector<TracedEvent> TraceWalker::Ordered() {
  std::vector<TracedEvent> events;
  for (uint32_t ring = 0; ring < rings_.size(); ++ring) {
    for (const CpuRing::SubBuffer& page : rings_[ring].ring.pages) {
      std::optional<uint64_t> missed = page.page.missed;
      for (const RingEvent& event : page.page.events) {
        events.push_back({event.time, ring, std::exchange(missed, std::nullopt), event.record});
      }
    }
  }
  // Events of one CPU and one time stay in the order of their ring.
  std::ranges::stable_sort(events, {}, &TracedEvent::time);
  if (events.size() > limits_.most_events) {
    walk_.anomalies.Add("cap", std::nullopt,
                        fmt::format("{} of {} trace events are told of, the newest",
                                    limits_.most_events, events.size()));
    events.erase(events.begin(), events.end() - static_cast<ptrdiff_t>(limits_.most_events));
  }
  return events;
}

void TraceWalker::Decode(const std::vector<TracedEvent>& events) {
  formats_.Read();
  comms_.Read();
  clocks_.Read();
  names_ = std::make_unique<EventNames>(walk_);
  for (const TracedEvent& event : events) {
    int64_t& newest = newest_[rings_[event.ring].clock.name];
    newest = std::max(newest, static_cast<int64_t>(event.time));
  }
  text_left_ = limits_.most_text;
  for (const TracedEvent& event : events) {
    if (text_left_ == 0 || walk_.limits.IsStopped()) {
      walk_.anomalies.Add("cap", std::nullopt,
                          fmt::format("the texts of trace events end after {} of {}",
                                      state_.events.size(), events.size()));
      return;
    }
    state_.events.push_back(Row(event));
    state_.events.back().seq = static_cast<int64_t>(state_.events.size()) - 1;
  }
}

TraceRow TraceWalker::Row(const TracedEvent& event) {
  const TracedRing& ring = rings_[event.ring];
  TraceRow row;
  row.buffer = ring.array->name;
  row.snapshot = ring.array->snapshot ? 1 : 0;
  row.cpu = ring.ring.cpu;
  const auto time = static_cast<int64_t>(event.time);
  row.time_raw = time;
  if (ring.clock.is_in_ns) row.time_ns = time;
  row.log_ns = clocks_.LogTime(ring.clock, ring.ring.cpu, time);
  if (const auto newest = clocks_.Newest(ring.clock)) {
    row.age_ns = Less(std::max(*newest, newest_[ring.clock.name]), time);
  }
  if (event.missed) row.missed = static_cast<int64_t>(*event.missed);
  Describe(event, row);
  const auto length = [](const std::optional<std::string>& text) {
    return text ? text->size() : 0;
  };
  text_left_ -= std::min<uint64_t>(text_left_, length(row.text) + length(row.fields));
  return row;
}

std::optional<uint64_t> TraceWalker::HeaderNumber(const TracedEvent& event,
                                                  const MaybeMember& member) const {
  if (!member || member->size > sizeof(uint64_t) ||
      member->offset + member->size > event.record.size()) {
    return std::nullopt;
  }
  uint64_t raw = 0;
  std::memcpy(&raw, event.record.data() + member->offset, member->size);
  return static_cast<uint64_t>(DecodeInteger(raw, *member));
}

void TraceWalker::Describe(const TracedEvent& event, TraceRow& row) {
  const auto type = HeaderNumber(event, entry_.type);
  const auto pid = HeaderNumber(event, entry_.pid);
  const auto flags = HeaderNumber(event, entry_.flags),
             preempt = HeaderNumber(event, entry_.preempt);
  if (pid) {
    row.pid = static_cast<int64_t>(*pid);
    row.comm = comms_.Of(*row.pid);
  }
  if (flags && preempt) row.flags = flags_.Text(*flags, *preempt);
  const EventFormat* format = type ? formats_.Find(static_cast<uint16_t>(*type)) : nullptr;
  if (format == nullptr) {
    // Of a probe that was taken away since, or of a module.
    row.event = type ? fmt::format("type {}", *type) : "";
    return;
  }
  row.system = format->system;
  row.event = format->name;
  EventRecord record(event.record, *format, *names_, rings_[event.ring].array->code_moved);
  row.fields = record.FieldsJson();
  row.text = record.Text();
}

}  // namespace

Result<TraceState> WalkTrace(const GuestKernel& kernel, const TraceLimits& limits) {
  Anomalies anomalies("trace");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits.walk));
  TraceState state = TraceWalker(walk, limits).Run();
  state.anomalies = std::move(anomalies).Take();
  return state;
}

}  // namespace ktstr
