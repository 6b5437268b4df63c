#include "analyze/text/summary.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "analyze/index/cells.h"
#include "analyze/text/findings_text.h"
#include "analyze/text/log_moment.h"
#include "analyze/text/output.h"
#include "analyze/text/trace_extent.h"
#include "analyze/text/wrap.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr int kLogLines = 8;
constexpr int kAnomalyLines = 5;
constexpr size_t kFindingLines = 8;
// How many CPUs are shown one by one; a larger machine shows its busiest.
constexpr int kCpuLines = 16;

constexpr const char* kCpuQuery =
    "SELECT c.cpu, c.curr_pid AS pid, c.curr_comm AS running, t.class, "
    "CASE coalesce(n.mode, v.mode) WHEN 'user' THEN 'user mode' WHEN 'halted' THEN 'halted' "
    "ELSE coalesce(n.rip_symbol, v.rip_symbol) END AS at, "
    "c.nr_running AS queued, c.nr_switches AS switches "
    "FROM cpu c LEFT JOIN task t ON t.task_kva = c.curr_kva LEFT JOIN vcpu v ON v.kernel_cpu "
    "= c.cpu LEFT JOIN crash_note n ON n.cpu = c.cpu "
    "ORDER BY {} LIMIT {}";
constexpr const char* kStateQuery =
    "SELECT state, count(*) AS tasks FROM task WHERE pid != 0 GROUP BY state ORDER BY tasks DESC";
constexpr const char* kLogQuery =
    "SELECT time_ns, level, text FROM (SELECT * FROM log {} LIMIT {}) ORDER BY seq";
constexpr const char* kAnomalyQuery = "SELECT walker, kind, detail FROM anomaly LIMIT {}";

class Facts {
 public:
  static Result<Facts> Read(const Database& index) {
    Facts facts;
    const QueryResult rows = KTSTR_TRY(index.Query("SELECT key, value FROM machine"));
    for (const auto& row : rows.rows) facts.values_[ToDisplay(row[0])] = row[1];
    return facts;
  }
  // "unknown" when the machine does not tell.
  std::string Text(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end() || std::holds_alternative<std::monostate>(found->second))
      return "unknown";
    return ToDisplay(found->second);
  }
  std::optional<int64_t> Number(const std::string& key) const {
    const std::string text = Text(key);
    return text == "unknown" ? std::nullopt
                             : std::optional(std::strtoll(text.c_str(), nullptr, 10));
  }

 private:
  std::map<std::string, Value> values_;
};

std::string Seconds(std::optional<int64_t> ns) {
  return ns ? fmt::format("{:.3f} s", static_cast<double>(*ns) / 1e9) : "an unknown time";
}

// What to say where memory holds several kernels; else nothing.
Result<std::vector<std::string>> KernelLines(const Database& index) {
  const QueryResult kernels = KTSTR_TRY(index.Query(
      "SELECT instance, coalesce(release, 'release unknown'), state, crashed_at_s, vcpus, asked "
      "FROM kernel ORDER BY instance"));
  std::vector<std::string> lines;
  if (kernels.rows.size() < 2) return lines;
  const auto is_known = [](const Value& v) { return !std::holds_alternative<std::monostate>(v); };
  for (const auto& row : kernels.rows) {
    lines.push_back(fmt::format(
        "{} of {}: {}, {}{}{}{}", ToDisplay(row[0]), kernels.rows.size(), ToDisplay(row[1]),
        ToDisplay(row[2]), is_known(row[3]) ? ", crashed" : "",
        is_known(row[4]) ? ", vCPUs " + ToDisplay(row[4]) : "",
        row[5] == Value(int64_t{1}) ? "; all that follows is of this one"
                                    : "; ask it with --kernel-instance " + ToDisplay(row[0])));
  }
  return lines;
}

// "0x… by vmcoreinfo, idt and cr3; lstar: …".
Result<std::string> KaslrLine(const Database& index, const Facts& facts) {
  std::string line = facts.Text("kaslr_offset");
  if (line != "unknown") line += " by " + facts.Text("kaslr_method");
  const QueryResult others = KTSTR_TRY(index.Query(
      "SELECT method, coalesce(value, note) FROM derivation WHERE name = 'kaslr_offset' AND "
      "value IS NOT (SELECT value FROM derivation WHERE name = 'kaslr_offset' AND chosen = 1)"));
  for (const auto& row : others.rows)
    line += fmt::format("; {}: {}", ToDisplay(row[0]), ToDisplay(row[1]));
  return line;
}

Result<std::string> MemoryLine(const Database& index, const Facts& facts) {
  const QueryResult fates = KTSTR_TRY(index.Query(
      "SELECT fate || coalesce(' (' || reason || ')', ''), pages FROM memory ORDER BY pages DESC"));
  std::string list;
  for (const auto& row : fates.rows) {
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", ToDisplay(row[1]), ToDisplay(row[0]));
  }
  return fmt::format("{}{}; pages: {}",
                     FormatSize(uint64_t(facts.Number("memory_bytes").value_or(0))),
                     facts.Text("kept") == "kernel" ? ", only the kernel's kept" : "", list);
}

Result<std::string> TasksLine(const Database& index) {
  const QueryResult count = KTSTR_TRY(
      index.Query("SELECT count(*), count(DISTINCT tgid), coalesce(sum(is_kthread), 0) FROM task "
                  "WHERE pid != 0"));
  const QueryResult states = KTSTR_TRY(index.Query(kStateQuery));
  std::string list;
  for (const auto& row : states.rows) {
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", ToDisplay(row[1]), ToDisplay(row[0]));
  }
  const auto& row = count.rows[0];
  return fmt::format("{} threads of {} processes, {} of the kernel; by state: {}",
                     ToDisplay(row[0]), ToDisplay(row[1]), ToDisplay(row[2]), list);
}

std::string Indented(const std::string& text, size_t max_width) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = "  " + text.substr(at, end - at);
    out += (max_width == 0 ? line : CutTo(line, max_width)) + "\n";
    at = end + 1;
  }
  return out;
}

Result<int64_t> Count(const Database& index, std::string_view table) {
  const QueryResult count = KTSTR_TRY(index.Query(fmt::format("SELECT count(*) FROM {}", table)));
  return IntegerOf(count.rows[0][0]);
}

// The lines from that moment on, and else the last ones.
std::string LogSql(std::optional<int64_t> moment) {
  return fmt::format(
      kLogQuery,
      moment ? fmt::format("WHERE seq >= {} ORDER BY seq", *moment) : "ORDER BY seq DESC",
      kLogLines);
}

Result<std::string> LogPart(const Database& index, size_t max_width) {
  const auto moment = KTSTR_TRY(LogMoment(index));
  const QueryResult log = KTSTR_TRY(index.Query(LogSql(moment)));
  std::string text;
  for (const auto& row : log.rows) {
    const auto* ns = std::get_if<int64_t>(&row[0]);
    text += fmt::format("[{:12.6f}] {}\n", ns == nullptr ? 0.0 : static_cast<double>(*ns) / 1e9,
                        ToDisplay(row[2]));
  }
  const int64_t count = KTSTR_TRY(Count(index, "log"));
  return (moment ? fmt::format("\nThe kernel log from that moment on, of {} lines\n", count)
                 : fmt::format("\nLast of {} kernel log lines\n", count)) +
         Indented(text, max_width);
}

// Null where nothing was traced; in it null for what is not known.
Result<nlohmann::ordered_json> TraceJson(const Database& index) {
  const TraceExtent trace = KTSTR_TRY(ReadTraceExtent(index));
  nlohmann::ordered_json json;
  if (trace.events == 0) return json;
  const auto known = [](std::optional<int64_t> number) {
    return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json();
  };
  json["events"] = trace.events;
  json["held"] = trace.held;
  json["span_ns"] = known(trace.span_ns);
  json["last_age_ns"] = known(trace.last_age_ns);
  json["undated"] = trace.undated;
  json["overwritten"] = trace.overwritten;
  json["lost"] = trace.lost;
  return json;
}

// All CPUs, or the busiest of many.
Result<QueryResult> CpuRows(const Database& index) {
  const int64_t cpus = KTSTR_TRY(Count(index, "cpu"));
  return index.Query(
      fmt::format(kCpuQuery, cpus > kCpuLines ? "c.nr_running DESC, c.cpu" : "c.cpu", kCpuLines));
}

}  // namespace

Result<std::string> SummaryText(const Database& index, const std::string& name, size_t max_width) {
  const Facts facts = KTSTR_TRY(Facts::Read(index));
  std::string why = facts.Text("trigger") == "unknown" ? "no reason given" : facts.Text("trigger");
  if (facts.Text("trigger_detail") != "unknown") why += ": " + facts.Text("trigger_detail");
  const auto line = [max_width](std::string_view label, const std::string& text) {
    return Wrapped(fmt::format("{:<9} {}", label, text), max_width, 10) + "\n";
  };

  std::string text = KTSTR_TRY(VerdictText(index, max_width)) + "\n";
  if (const std::string others = KTSTR_TRY(OtherFindingsText(index, max_width, kFindingLines));
      !others.empty()) {
    text += others + "\n";
  }
  const bool ran = facts.Text("ran_while_read") != "unknown";
  const bool archived = facts.Text("digest") != "unknown";
  if (ran) {
    text += line("note",
                 "read while the machine ran: rows are of different moments, and what joins "
                 "them may be torn");
  }
  if (archived)
    text +=
        line("archive", fmt::format("{}, {}, digest {}", SafeText(name),
                                    FormatSize(uint64_t(facts.Number("archive_bytes").value_or(0))),
                                    facts.Text("digest")));
  text += line(ran ? "read" : "frozen", fmt::format("{} ({}) by {}", facts.Text("captured_at"), why,
                                                    facts.Text("captured_by")));
  text += line("kernel", fmt::format("Linux {}, up {}", facts.Text("release"),
                                     Seconds(facts.Number("uptime_ns"))));
  if (const std::string newer = facts.Text("newer_than_tried"); newer != "unknown") {
    text += line("note", newer);
  }
  for (const std::string& kernels : KTSTR_TRY(KernelLines(index))) text += line("kernels", kernels);
  std::string machine =
      fmt::format("{} CPUs, {}-level paging", facts.Text("nr_cpus"), facts.Text("paging_levels"));
  if (!ran)
    machine += fmt::format(", {}, {}", facts.Text("vmm_version"), facts.Text("accelerator"));
  text += line("machine", machine);
  text += line("KASLR", KTSTR_TRY(KaslrLine(index, facts)));
  text += line("memory", KTSTR_TRY(MemoryLine(index, facts)));
  text += line("tasks", KTSTR_TRY(TasksLine(index)));
  if (const TraceExtent trace = KTSTR_TRY(ReadTraceExtent(index)); trace.events > 0) {
    text += line("trace", TraceExtentText(trace) + " (ktstr-analyze FILE trace)");
  }

  const QueryResult cpus = KTSTR_TRY(CpuRows(index));
  const int64_t cpu_count = KTSTR_TRY(Count(index, "cpu"));
  text += cpu_count > kCpuLines ? fmt::format("\nThe {} busiest of {} CPUs\n", kCpuLines, cpu_count)
                                : "\nCPUs\n";
  text += Indented(ToTextTable(cpus, {max_width > 2 ? max_width - 2 : 0}), max_width);

  text += KTSTR_TRY(LogPart(index, max_width));

  const int64_t anomalies = KTSTR_TRY(Count(index, "anomaly"));
  if (anomalies == 0) return text + "\nEverything asked for could be read.\n";
  text += fmt::format(
      "\nNot read or not understood: {}{}\n", anomalies,
      anomalies > kAnomalyLines ? fmt::format(", the first {} of them", kAnomalyLines) : "");
  const QueryResult first = KTSTR_TRY(index.Query(fmt::format(kAnomalyQuery, kAnomalyLines)));
  return text + Indented(ToTextTable(first, {max_width > 2 ? max_width - 2 : 0}), max_width);
}

Result<std::string> SummaryJson(const Database& index) {
  const auto part = [&](const std::string& sql) -> Result<nlohmann::ordered_json> {
    return nlohmann::ordered_json::parse(ToJson(KTSTR_TRY(index.Query(sql))));
  };
  nlohmann::ordered_json summary;
  summary["verdict"] = KTSTR_TRY(part("SELECT * FROM verdict"))[0];
  summary["machine"] = KTSTR_TRY(part("SELECT key, value FROM machine"));
  summary["kernels"] = KTSTR_TRY(part("SELECT * FROM kernel ORDER BY instance"));
  summary["derivations"] = KTSTR_TRY(part("SELECT * FROM derivation"));
  summary["memory"] = KTSTR_TRY(part("SELECT * FROM memory"));
  summary["findings"] = KTSTR_TRY(part("SELECT * FROM finding"));
  summary["cpus"] = KTSTR_TRY(part(fmt::format(kCpuQuery, "c.cpu", -1)));
  summary["tasks_by_state"] = KTSTR_TRY(part(kStateQuery));
  summary["trace"] = KTSTR_TRY(TraceJson(index));
  summary["log"] = KTSTR_TRY(part(LogSql(KTSTR_TRY(LogMoment(index)))));
  summary["anomalies"] = KTSTR_TRY(part(fmt::format(kAnomalyQuery, -1)));
  return summary.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr
