#include "analyze/perfetto/perfetto.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "analyze/perfetto/packets.h"

namespace ktstr {

namespace {

using Row = std::vector<Value>;

std::optional<int64_t> NumberIn(const Value& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number == nullptr ? std::nullopt : std::optional(*number);
}
std::string TextIn(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? "" : *text;
}

// The fields of an event that Perfetto can have: numbers and texts; others as their JSON.
PerfettoFields FieldsOf(const std::string& json) {
  PerfettoFields fields;
  const auto object = nlohmann::ordered_json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fields;
  for (const auto& [name, value] : object.items()) {
    if (value.is_number()) {
      fields.emplace_back(name, value.get<int64_t>());
    } else if (value.is_string()) {
      fields.emplace_back(name, value.get<std::string>());
    } else if (!value.is_null()) {
      fields.emplace_back(name, value.dump());
    }
  }
  return fields;
}

// When a state was frozen, by the clock of the log: the newest time that the kernel has.
constexpr char kFrozenSql[] =
    "SELECT max(t) FROM (SELECT max(clock_ns) AS t FROM cpu UNION ALL SELECT max(time_ns) FROM log "
    "UNION ALL SELECT max(log_ns) FROM trace)";
// What only one boot of one machine has.
constexpr char kBootSql[] =
    "SELECT group_concat(key || '=' || coalesce(value, ''), ' ') FROM (SELECT key, value FROM "
    "machine WHERE key IN ('build_id', 'kaslr_offset', 'page_offset', 'nr_cpus') ORDER BY key)";
constexpr char kSystemSql[] =
    "SELECT max(iif(key = 'release', value, '')), max(iif(key = 'arch', value, '')), "
    "max(iif(key = 'trigger', value, '')) FROM machine";
// The instance of tracing whose sched events are the whole ones.
constexpr char kSchedBufferSql[] =
    "SELECT buffer FROM trace WHERE event = 'sched_switch' GROUP BY buffer "
    "ORDER BY count(*) DESC, buffer = 'top' DESC LIMIT 1";
constexpr char kEventsSql[] =
    "SELECT cpu, time_raw, log_ns, age_ns, pid, system, event, fields, buffer, text "
    "FROM trace ORDER BY seq";
constexpr char kThreadsSql[] =
    "SELECT pid, tgid, ppid, comm, CASE WHEN on_cpu = 1 THEN NULL WHEN scx_waiting_ms IS NOT NULL "
    "THEN scx_waiting_ms * 1000000 ELSE waiting_ns END FROM task WHERE pid != 0 ORDER BY pid";
constexpr char kCpusSql[] =
    "SELECT cpu, curr_pid, curr_comm, nr_running, scx_nr_running FROM cpu WHERE online IS NOT 0 "
    "ORDER BY cpu";
constexpr char kDsqsSql[] =
    "SELECT iif(kind = 'local', 'local DSQ of CPU ' || cpu, iif(kind = 'user', 'DSQ ' || "
    "printf('0x%s', ltrim(substr(dsq_id, 3, 15), '0') || substr(dsq_id, 18)), kind || ' DSQ' || "
    "iif(node IS NULL, '', ' of node ' || node) || iif(cpu IS NULL, '', ' of CPU ' || cpu))), nr "
    "FROM dsq WHERE nr IS NOT NULL";
constexpr char kLogSql[] =
    "SELECT seq, time_ns, text, level FROM log WHERE time_ns IS NOT NULL ORDER BY seq";
constexpr char kFindingsSql[] =
    "SELECT severity, subject || ': ' || detail FROM finding ORDER BY rank";

struct TimedState {
  PerfettoState state;
  int64_t frozen_ns;
};

class TraceMaker {
 public:
  // States are to be added in order of time.
  Status Add(const TimedState& timed);
  PerfettoTrace Take() && { return {packets_.Take(), without_time_}; }

 private:
  Status AddEvents(const Database& index, int64_t frozen_ns);
  Status AddThreads(const Database& index, int64_t frozen_ns);
  Status AddCpus(const Database& index, int64_t frozen_ns);
  Status AddQueues(const Database& index, int64_t frozen_ns);
  Status AddLog(const Database& index);
  Status AddFindings(const Database& index, int64_t frozen_ns);
  void AddEvent(const Row& row, const std::string& sched_buffer, int64_t frozen_ns);
  uint64_t Track(const std::string& name);

  PerfettoPackets packets_;
  std::map<std::string, uint64_t> tracks_;
  std::map<int64_t, uint64_t> thread_tracks_;
  // By instance and CPU, snapshots included, which hold what the buffer held before: up to which
  // time, as the buffer's clock counts, earlier states had events.
  std::map<std::pair<std::string, int64_t>, int64_t> seen_, newest_;
  std::optional<int64_t> last_log_;
  uint64_t without_time_ = 0;
  bool is_first_ = true;
};

uint64_t TraceMaker::Track(const std::string& name) {
  const auto [known, is_new] = tracks_.try_emplace(name, 0);
  if (is_new) known->second = packets_.AddTrack(name);
  return known->second;
}

void TraceMaker::AddEvent(const Row& row, const std::string& sched_buffer, int64_t frozen_ns) {
  const int64_t cpu = NumberIn(row[0]).value_or(0), raw = NumberIn(row[1]).value_or(0);
  const std::string system = TextIn(row[5]), buffer = TextIn(row[8]);
  const std::pair ring(buffer, cpu);
  const auto seen = seen_.find(ring);
  if (seen != seen_.end() && raw <= seen->second) return;
  newest_[ring] = raw;
  std::optional<int64_t> time = NumberIn(row[2]);
  const auto age = NumberIn(row[3]);
  // What was before the log's clock began is at no time of its.
  if (!time && age && *age >= 0) time = frozen_ns - *age;
  if (!time || *time < 0) {
    ++without_time_;
    return;
  }
  if (system == "sched" && buffer != sched_buffer) return;
  std::string event = TextIn(row[6]);
  PerfettoFields fields = FieldsOf(TextIn(row[7]));
  if (event == "bpf_trace_printk") {
    // As trace_pipe has it: a line that somebody printed.
    event = "print";
    fields = {{"buf", TextIn(row[9]) + "\n"}};
  }
  if (fields.empty() && event == "kernel_stack") fields = {{"text", TextIn(row[9])}};
  packets_.AddKernelEvent(cpu, *time, NumberIn(row[4]).value_or(0), event, fields);
}

Status TraceMaker::AddEvents(const Database& index, int64_t frozen_ns) {
  const QueryResult sched = KTSTR_TRY(index.Query(kSchedBufferSql));
  const std::string buffer = sched.rows.empty() ? "top" : TextIn(sched.rows[0][0]);
  KTSTR_TRY(index.QueryEach(
      kEventsSql, {}, [](const QueryResult&) { return Status(); },
      [&](Row&& row) {
        AddEvent(row, buffer, frozen_ns);
        return Status();
      }));
  seen_ = newest_;
  return {};
}

Status TraceMaker::AddThreads(const Database& index, int64_t frozen_ns) {
  const QueryResult tasks = KTSTR_TRY(index.Query(kThreadsSql));
  std::vector<PerfettoThread> threads;
  for (const Row& row : tasks.rows) {
    const auto pid = NumberIn(row[0]), tgid = NumberIn(row[1]);
    if (pid && tgid) threads.push_back({*pid, *tgid, NumberIn(row[2]), TextIn(row[3])});
  }
  packets_.AddThreads(frozen_ns, threads);
  for (const Row& row : tasks.rows) {
    const auto pid = NumberIn(row[0]), tgid = NumberIn(row[1]), waiting = NumberIn(row[4]);
    if (!pid || !tgid || !waiting || *waiting <= 0 || *waiting > frozen_ns) continue;
    const auto [track, is_new] = thread_tracks_.try_emplace(*pid, 0);
    if (is_new) track->second = packets_.AddThreadTrack({*pid, *tgid, {}, TextIn(row[3])});
    packets_.AddSlice(track->second, frozen_ns - *waiting, frozen_ns, "waiting", "waits to run");
  }
  return {};
}

Status TraceMaker::AddCpus(const Database& index, int64_t frozen_ns) {
  const QueryResult cpus = KTSTR_TRY(index.Query(kCpusSql));
  for (const Row& row : cpus.rows) {
    const auto cpu = NumberIn(row[0]), pid = NumberIn(row[1]);
    if (!cpu) continue;
    if (pid) {
      packets_.AddInstant(Track(fmt::format("frozen CPU {}", *cpu)), frozen_ns, "cpu",
                          fmt::format("{} ({})", TextIn(row[2]), *pid));
    }
    const auto count = [&](const char* what, const Value& value) {
      const auto number = NumberIn(value);
      if (!number) return;
      const uint64_t track = packets_.CounterTrack(fmt::format("{} of CPU {}", what, *cpu));
      packets_.AddCounter(track, frozen_ns, *number);
    };
    count("nr_running", row[3]);
    count("scx_nr_running", row[4]);
  }
  return {};
}

Status TraceMaker::AddQueues(const Database& index, int64_t frozen_ns) {
  const QueryResult queues = KTSTR_TRY(index.Query(kDsqsSql));
  for (const Row& row : queues.rows) {
    const auto length = NumberIn(row[1]);
    if (length) packets_.AddCounter(packets_.CounterTrack(TextIn(row[0])), frozen_ns, *length);
  }
  return {};
}

Status TraceMaker::AddLog(const Database& index) {
  const QueryResult log = KTSTR_TRY(index.Query(kLogSql));
  for (const Row& row : log.rows) {
    const auto seq = NumberIn(row[0]), time = NumberIn(row[1]);
    if (!seq || !time || *time < 0 || (last_log_ && *seq <= *last_log_)) continue;
    last_log_ = *seq;
    PerfettoFields details;
    if (const auto level = NumberIn(row[3])) details = {{"level", *level}};
    packets_.AddInstant(Track("kernel log"), *time, "log", TextIn(row[2]), details);
  }
  return {};
}

Status TraceMaker::AddFindings(const Database& index, int64_t frozen_ns) {
  const QueryResult findings = KTSTR_TRY(index.Query(kFindingsSql));
  for (const Row& row : findings.rows) {
    packets_.AddInstant(Track("findings"), frozen_ns, TextIn(row[0]), TextIn(row[1]));
  }
  return {};
}

Status TraceMaker::Add(const TimedState& timed) {
  const Database& index = *timed.state.index;
  const QueryResult system = KTSTR_TRY(index.Query(kSystemSql));
  if (std::exchange(is_first_, false)) {
    packets_.AddSystem(TextIn(system.rows[0][0]), TextIn(system.rows[0][1]));
  }
  KTSTR_TRY(AddEvents(index, timed.frozen_ns));
  KTSTR_TRY(AddThreads(index, timed.frozen_ns));
  packets_.AddInstant(Track("frozen"), timed.frozen_ns, "freeze",
                      fmt::format("frozen: {}", TextIn(system.rows[0][2])),
                      {{"archive", timed.state.archive}});
  KTSTR_TRY(AddCpus(index, timed.frozen_ns));
  KTSTR_TRY(AddQueues(index, timed.frozen_ns));
  KTSTR_TRY(AddLog(index));
  return AddFindings(index, timed.frozen_ns);
}

}  // namespace

Result<PerfettoTrace> MakePerfettoTrace(std::span<const PerfettoState> states) {
  std::vector<TimedState> ordered;
  std::string boot;
  for (const PerfettoState& state : states) {
    const QueryResult frozen = KTSTR_TRY(state.index->Query(kFrozenSql));
    const auto time = NumberIn(frozen.rows[0][0]);
    if (!time || *time < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: nothing in it says when it was frozen: no CPU has a clock, and "
                              "the log is empty",
                              state.archive));
    }
    const QueryResult own = KTSTR_TRY(state.index->Query(kBootSql));
    const std::string own_boot = TextIn(own.rows[0][0]);
    if (!ordered.empty() && own_boot != boot) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} and {} are not of one boot of one machine: {}, and {}",
                              states[0].archive, state.archive, boot, own_boot));
    }
    boot = own_boot;
    ordered.push_back({state, *time});
  }
  std::ranges::stable_sort(ordered, {}, &TimedState::frozen_ns);
  TraceMaker maker;
  for (const TimedState& state : ordered) KTSTR_TRY(maker.Add(state));
  return std::move(maker).Take();
}

}  // namespace ktstr
