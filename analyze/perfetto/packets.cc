#include "analyze/perfetto/packets.h"

#include <protozero/pbf_writer.hpp>

namespace ktstr {

namespace {

using protozero::pbf_writer;

// Numbers of fields, by message.
namespace trace {
constexpr uint32_t kPacket = 1;
}
namespace packet {
constexpr uint32_t kFtraceEvents = 1, kProcessTree = 2, kTimestamp = 8, kSequenceId = 10,
                   kTrackEvent = 11, kSequenceFlags = 13, kSystemInfo = 45, kTrackDescriptor = 60;
constexpr uint32_t kStateIsCleared = 1;  // of sequence_flags: nothing before is referred to
}  // namespace packet
namespace bundle {
constexpr uint32_t kCpu = 1, kEvent = 2;
}
namespace event {
constexpr uint32_t kTimestamp = 1, kPid = 2, kPrint = 3, kSchedSwitch = 4, kSchedWakeup = 17,
                   kSchedWaking = 20, kSchedWakeupNew = 114, kGeneric = 327;
}
namespace generic {
constexpr uint32_t kEventName = 1, kField = 2;
constexpr uint32_t kFieldName = 1, kFieldText = 3, kFieldInteger = 4;
}  // namespace generic
namespace tree {
constexpr uint32_t kProcesses = 1, kThreads = 2;
constexpr uint32_t kProcessPid = 1, kProcessParent = 2, kProcessCommand = 3;
constexpr uint32_t kThreadId = 1, kThreadName = 2, kThreadProcess = 3;
}  // namespace tree
namespace track {
constexpr uint32_t kUuid = 1, kName = 2, kThread = 4, kCounter = 8;
constexpr uint32_t kThreadProcess = 1, kThreadId = 2, kThreadName = 5;
}  // namespace track
namespace track_event {
constexpr uint32_t kDetails = 4, kType = 9, kTrack = 11, kCategories = 22, kName = 23,
                   kCounterValue = 30;
constexpr uint32_t kDetailInteger = 4, kDetailText = 6, kDetailName = 10;
}  // namespace track_event
namespace system_info {
constexpr uint32_t kUtsname = 1;
constexpr uint32_t kSysname = 1, kRelease = 3, kMachine = 4;
}  // namespace system_info

// All packets are one writer's.
constexpr uint32_t kSequence = 1;
// A packet of events is closed beyond this.
constexpr size_t kBundleBytes = 64 << 10;

// How the fields of an event that Perfetto knows are numbered there.
struct KnownField {
  std::string_view name;
  uint32_t number;
};
struct KnownEvent {
  std::string_view name;
  uint32_t number;
  std::vector<KnownField> fields;
};
const std::vector<KnownEvent>& KnownEvents() {
  static const std::vector<KnownField> wakeup = {
      {"comm", 1}, {"pid", 2}, {"prio", 3}, {"success", 4}, {"target_cpu", 5}};
  static const std::vector<KnownEvent> events = {
      {"sched_switch",
       event::kSchedSwitch,
       {{"prev_comm", 1},
        {"prev_pid", 2},
        {"prev_prio", 3},
        {"prev_state", 4},
        {"next_comm", 5},
        {"next_pid", 6},
        {"next_prio", 7}}},
      {"sched_waking", event::kSchedWaking, wakeup},
      {"sched_wakeup", event::kSchedWakeup, wakeup},
      {"sched_wakeup_new", event::kSchedWakeupNew, wakeup},
      {"print", event::kPrint, {{"ip", 1}, {"buf", 2}}},
  };
  return events;
}

void AddValue(pbf_writer& writer, const PerfettoValue& value, uint32_t integer, uint32_t text) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    writer.add_int64(integer, *number);
  } else {
    writer.add_string(text, std::get<std::string>(value));
  }
}

std::string KnownEventBytes(const KnownEvent& known, const PerfettoFields& fields) {
  std::string bytes;
  pbf_writer writer(bytes);
  for (const auto& [name, value] : fields) {
    for (const KnownField& field : known.fields) {
      if (field.name == name) AddValue(writer, value, field.number, field.number);
    }
  }
  return bytes;
}

std::string GenericEventBytes(const std::string& name, const PerfettoFields& fields) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_string(generic::kEventName, name);
  for (const auto& [field_name, value] : fields) {
    pbf_writer field(writer, generic::kField);
    field.add_string(generic::kFieldName, field_name);
    AddValue(field, value, generic::kFieldInteger, generic::kFieldText);
  }
  return bytes;
}

}  // namespace

void PerfettoPackets::Append(const std::string& packet) {
  pbf_writer writer(trace_);
  std::string rest;
  pbf_writer common(rest);
  common.add_uint32(packet::kSequenceId, kSequence);
  if (trace_.empty()) common.add_uint32(packet::kSequenceFlags, packet::kStateIsCleared);
  writer.add_message(trace::kPacket, packet + rest);
}

void PerfettoPackets::AddSystem(const std::string& release, const std::string& machine) {
  std::string packet;
  {
    pbf_writer writer(packet);
    pbf_writer info(writer, packet::kSystemInfo);
    pbf_writer names(info, system_info::kUtsname);
    names.add_string(system_info::kSysname, "Linux");
    names.add_string(system_info::kRelease, release);
    names.add_string(system_info::kMachine, machine);
  }
  Append(packet);
}

void PerfettoPackets::AddThreads(int64_t time_ns, const std::vector<PerfettoThread>& threads) {
  std::string packet;
  {
    pbf_writer writer(packet);
    writer.add_uint64(packet::kTimestamp, static_cast<uint64_t>(time_ns));
    pbf_writer processes(writer, packet::kProcessTree);
    for (const PerfettoThread& thread : threads) {
      if (thread.pid != thread.tgid) continue;
      pbf_writer process(processes, tree::kProcesses);
      process.add_int64(tree::kProcessPid, thread.pid);
      if (thread.ppid) process.add_int64(tree::kProcessParent, *thread.ppid);
      process.add_string(tree::kProcessCommand, thread.name);
    }
    for (const PerfettoThread& thread : threads) {
      pbf_writer one(processes, tree::kThreads);
      one.add_int64(tree::kThreadId, thread.pid);
      one.add_string(tree::kThreadName, thread.name);
      one.add_int64(tree::kThreadProcess, thread.tgid);
    }
  }
  Append(packet);
}

void PerfettoPackets::AddKernelEvent(int64_t cpu, int64_t time_ns, int64_t pid,
                                     const std::string& name, const PerfettoFields& fields) {
  const KnownEvent* known = nullptr;
  for (const KnownEvent& candidate : KnownEvents()) {
    if (candidate.name == name) known = &candidate;
  }
  std::string& bundle = bundles_[cpu];
  {
    pbf_writer writer(bundle);
    pbf_writer one(writer, bundle::kEvent);
    one.add_uint64(event::kTimestamp, static_cast<uint64_t>(time_ns));
    one.add_uint32(event::kPid, static_cast<uint32_t>(pid));
    if (known != nullptr) {
      one.add_message(known->number, KnownEventBytes(*known, fields));
    } else {
      one.add_message(event::kGeneric, GenericEventBytes(name, fields));
    }
  }
  if (bundle.size() > kBundleBytes) FlushEvents(cpu);
}

void PerfettoPackets::FlushEvents(int64_t cpu) {
  std::string& events = bundles_[cpu];
  if (events.empty()) return;
  std::string content;
  pbf_writer(content).add_uint32(bundle::kCpu, static_cast<uint32_t>(cpu));
  content += events;
  events.clear();
  std::string packet;
  pbf_writer(packet).add_message(packet::kFtraceEvents, content);
  Append(packet);
}

uint64_t PerfettoPackets::AddTrack(const std::string& name) {
  std::string packet;
  {
    pbf_writer writer(packet);
    pbf_writer descriptor(writer, packet::kTrackDescriptor);
    descriptor.add_uint64(track::kUuid, ++tracks_);
    descriptor.add_string(track::kName, name);
  }
  Append(packet);
  return tracks_;
}

uint64_t PerfettoPackets::AddThreadTrack(const PerfettoThread& thread) {
  std::string packet;
  {
    pbf_writer writer(packet);
    pbf_writer descriptor(writer, packet::kTrackDescriptor);
    descriptor.add_uint64(track::kUuid, ++tracks_);
    pbf_writer of_thread(descriptor, track::kThread);
    of_thread.add_int64(track::kThreadProcess, thread.tgid);
    of_thread.add_int64(track::kThreadId, thread.pid);
    of_thread.add_string(track::kThreadName, thread.name);
  }
  Append(packet);
  return tracks_;
}

uint64_t PerfettoPackets::CounterTrack(const std::string& name) {
  const auto [known, is_new] = counters_.try_emplace(name, tracks_ + 1);
  if (!is_new) return known->second;
  std::string packet;
  {
    pbf_writer writer(packet);
    pbf_writer descriptor(writer, packet::kTrackDescriptor);
    descriptor.add_uint64(track::kUuid, ++tracks_);
    descriptor.add_string(track::kName, name);
    descriptor.add_message(track::kCounter, std::string());
  }
  Append(packet);
  return tracks_;
}

void PerfettoPackets::AddTrackEvent(int64_t time_ns, const TrackEvent& event) {
  std::string packet;
  {
    pbf_writer writer(packet);
    writer.add_uint64(packet::kTimestamp, static_cast<uint64_t>(time_ns));
    pbf_writer one(writer, packet::kTrackEvent);
    one.add_uint32(track_event::kType, static_cast<uint32_t>(event.type));
    one.add_uint64(track_event::kTrack, event.track);
    if (!event.category.empty()) one.add_string(track_event::kCategories, event.category);
    if (!event.name.empty()) one.add_string(track_event::kName, event.name);
    if (event.counter) one.add_int64(track_event::kCounterValue, *event.counter);
    for (const auto& [name, value] : event.details) {
      pbf_writer detail(one, track_event::kDetails);
      detail.add_string(track_event::kDetailName, name);
      AddValue(detail, value, track_event::kDetailInteger, track_event::kDetailText);
    }
  }
  Append(packet);
}

void PerfettoPackets::AddInstant(uint64_t track, int64_t time_ns, const std::string& category,
                                 const std::string& name, const PerfettoFields& details) {
  AddTrackEvent(time_ns, {EventType::kInstant, track, category, name, details, {}});
}

void PerfettoPackets::AddSlice(uint64_t track, int64_t begin_ns, int64_t end_ns,
                               const std::string& category, const std::string& name) {
  AddTrackEvent(begin_ns, {EventType::kSliceBegin, track, category, name, {}, {}});
  AddTrackEvent(end_ns, {EventType::kSliceEnd, track, "", "", {}, {}});
}

void PerfettoPackets::AddCounter(uint64_t track, int64_t time_ns, int64_t value) {
  AddTrackEvent(time_ns, {EventType::kCounter, track, "", "", {}, value});
}

std::string PerfettoPackets::Take() {
  for (auto& [cpu, events] : bundles_) FlushEvents(cpu);
  return std::move(trace_);
}

}  // namespace ktstr
