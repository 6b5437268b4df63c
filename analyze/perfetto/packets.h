// Packets of a Perfetto trace (protos/perfetto/trace/trace_packet.proto in google/perfetto): what
// is written here is what its trace processor and its UI read. Times are in ns since boot.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ktstr {

// A field of an event of the kernel's.
using PerfettoValue = std::variant<int64_t, std::string>;
using PerfettoFields = std::vector<std::pair<std::string, PerfettoValue>>;

struct PerfettoThread {
  int64_t pid = 0, tgid = 0;
  std::optional<int64_t> ppid;
  std::string name;
};

class PerfettoPackets {
 public:
  // What machine it is: uname's release and version, architecture.
  void AddSystem(const std::string& release, const std::string& machine);
  // Threads, and the processes that they belong to.
  void AddThreads(int64_t time_ns, const std::vector<PerfettoThread>& threads);

  // An event of the kernel's tracing. Those that Perfetto knows (sched_switch, sched_waking,
  // sched_wakeup, sched_wakeup_new, print) are written as such, the others by name. Events of one
  // CPU are to come in order of time.
  void AddKernelEvent(int64_t cpu, int64_t time_ns, int64_t pid, const std::string& name,
                      const PerfettoFields& fields);

  // A track of our own: its number is to be given to the others below.
  uint64_t AddTrack(const std::string& name);
  // Of a thread: events are beside what it did.
  uint64_t AddThreadTrack(const PerfettoThread& thread);
  // Of a number that changes; the same for the same name.
  uint64_t CounterTrack(const std::string& name);
  void AddInstant(uint64_t track, int64_t time_ns, const std::string& category,
                  const std::string& name, const PerfettoFields& details = {});
  void AddSlice(uint64_t track, int64_t begin_ns, int64_t end_ns, const std::string& category,
                const std::string& name);
  void AddCounter(uint64_t track, int64_t time_ns, int64_t value);

  // The whole trace; this object is spent.
  std::string Take();

 private:
  enum class EventType : uint8_t { kSliceBegin = 1, kSliceEnd = 2, kInstant = 3, kCounter = 4 };
  struct TrackEvent {
    EventType type;
    uint64_t track;
    std::string category, name;
    PerfettoFields details;
    std::optional<int64_t> counter;
  };

  void AddTrackEvent(int64_t time_ns, const TrackEvent& event);
  void Append(const std::string& packet);
  void FlushEvents(int64_t cpu);

  std::string trace_;
  std::map<int64_t, std::string> bundles_;  // by CPU: events that no packet has yet
  std::map<std::string, uint64_t> counters_;
  uint64_t tracks_ = 0;
};

}  // namespace ktstr
