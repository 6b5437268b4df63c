#include "analyze/text/tracker_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/index/cells.h"
#include "analyze/text/log_moment.h"
#include "analyze/text/output.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr int kTrackerLogLines = 30;

constexpr const char* kTrackerMachine =
    "SELECT max(CASE key WHEN 'captured_at' THEN value END), "
    "max(CASE key WHEN 'trigger' THEN value END), max(CASE key WHEN 'trigger_detail' THEN value "
    "END), max(CASE key WHEN 'captured_by' THEN value END), max(CASE key WHEN 'release' THEN value "
    "END), max(CASE key WHEN 'build_id' THEN value END), max(CASE key WHEN 'uptime_ns' THEN "
    "value + 0 END), max(CASE key WHEN 'nr_cpus' THEN value END), max(CASE key WHEN "
    "'vmm_version' THEN value END), max(CASE key WHEN 'accelerator' THEN value END), max(CASE key "
    "WHEN 'digest' THEN value END), max(CASE key WHEN 'cmdline' THEN value END) FROM machine";

// What is known of how it was loaded, and of its end.
constexpr const char* kTrackerSchedulers =
    "SELECT n.name, s.enable_state, s.form, s.ops_flags, s.switch_all, s.watchdog_timeout_ms, "
    "s.bypass_depth, s.enable_seq, s.nr_rejected, s.exit_kind, s.exit_code, s.exit_reason, "
    "s.exit_message FROM scx s LEFT JOIN scheduler_name n ON n.scheduler = s.scheduler "
    "WHERE s.ops_name IS NOT NULL ORDER BY s.scheduler";

constexpr const char* kTrackerLog =
    "SELECT time_ns, text FROM (SELECT * FROM log {} LIMIT {}) ORDER BY seq";
constexpr int64_t kTrackerLinesBefore = 5;

bool IsTold(const Value& value) { return !std::holds_alternative<std::monostate>(value); }

std::string MarkdownOf(const Value& value) { return AsMarkdown(ToDisplay(value, "unknown")); }

// ", LABEL VALUE" of what is known and no empty text.
std::string Also(std::string_view label, const Value& value, std::string_view unit = "") {
  const auto* text = std::get_if<std::string>(&value);
  const bool says_nothing = text != nullptr && text->empty();
  return IsTold(value) && !says_nothing ? fmt::format(", {} {}{}", label, MarkdownOf(value), unit)
                                        : "";
}

Result<std::string> VerdictMarkdown(const Database& index) {
  const QueryResult verdict = KTSTR_TRY(index.Query("SELECT sentence, certainty FROM verdict"));
  if (verdict.rows.empty()) return std::string();
  return fmt::format("**{}** ({})\n\n", MarkdownOf(verdict.rows[0][0]),
                     MarkdownOf(verdict.rows[0][1]));
}

Result<std::string> MachineMarkdown(const Database& index) {
  const QueryResult machine = KTSTR_TRY(index.Query(kTrackerMachine));
  const auto& m = machine.rows[0];
  const std::string up =
      IsTold(m[6]) ? fmt::format(", up {:.3f} s", static_cast<double>(IntegerOf(m[6])) / 1e9) : "";
  std::string text =
      fmt::format("- kernel: Linux {}{}{}\n", MarkdownOf(m[4]), Also("build id", m[5]), up);
  if (IsTold(m[11])) text += fmt::format("- command line: {}\n", MarkdownOf(m[11]));
  text += fmt::format("- machine: {} CPUs, {}, {}\n", MarkdownOf(m[7]), MarkdownOf(m[8]),
                      MarkdownOf(m[9]));
  text +=
      fmt::format("- frozen: {}{}{} by {}, digest {}\n", MarkdownOf(m[0]), Also("because of", m[1]),
                  IsTold(m[2]) ? fmt::format(" ({})", MarkdownOf(m[2])) : "", MarkdownOf(m[3]),
                  MarkdownOf(m[10]));
  return text;
}

Result<std::string> SchedulerMarkdown(const Database& index) {
  const QueryResult schedulers = KTSTR_TRY(index.Query(kTrackerSchedulers));
  std::string text;
  for (const auto& s : schedulers.rows) {
    text += fmt::format("- scheduler: {}, {}{}{}{}{}{}{}{}\n", MarkdownOf(s[0]), MarkdownOf(s[1]),
                        Also("form", s[2]), Also("ops flags", s[3]), Also("switch\\_all", s[4]),
                        Also("watchdog timeout", s[5], " ms"), Also("bypass depth", s[6]),
                        Also("schedulers enabled since boot", s[7]), Also("rejected tasks", s[8]));
    if (TextOf(s[9]) == "none") continue;
    text += fmt::format("- its end: {}{}: {} ({})\n", MarkdownOf(s[9]), Also("code", s[10]),
                        MarkdownOf(s[11]), MarkdownOf(s[12]));
  }
  return text.empty() ? std::string("- scheduler: none of sched\\_ext's is loaded\n") : text;
}

Result<std::string> LogMarkdown(const Database& index) {
  const auto moment = KTSTR_TRY(LogMoment(index));
  const std::string which =
      moment ? fmt::format("WHERE seq >= {} ORDER BY seq", *moment - kTrackerLinesBefore)
             : "ORDER BY seq DESC";
  const QueryResult log = KTSTR_TRY(index.Query(fmt::format(kTrackerLog, which, kTrackerLogLines)));
  std::string lines;
  for (const auto& row : log.rows) {
    const std::string time =
        IsTold(row[0]) ? fmt::format("{:.6f}", static_cast<double>(IntegerOf(row[0])) / 1e9) : "?";
    lines += fmt::format("[{:>12}] {}\n", time, SafeText(ToDisplay(row[1])));
  }
  if (lines.empty()) return std::string();
  return fmt::format("\nKernel log, {}:\n\n{}",
                     moment ? "from just before that moment on"
                            : fmt::format("the last {} lines before the freeze", log.rows.size()),
                     FencedBlock(lines));
}

}  // namespace

std::string DumpText(const std::vector<ScxDump>& dumps) {
  std::string text;
  for (const ScxDump& dump : dumps) {
    if (!text.empty()) text += "\n";
    for (const std::string& line : dump.lines) text += line + "\n";
  }
  return text;
}

Result<std::string> TrackerText(const Database& index, const std::vector<ScxDump>& dumps) {
  std::string text = KTSTR_TRY(VerdictMarkdown(index));
  text += KTSTR_TRY(MachineMarkdown(index)) + KTSTR_TRY(SchedulerMarkdown(index));
  if (!dumps.empty()) {
    text += "\nsched\\_ext at that moment, in the layout of the kernel's debug dump:\n\n" +
            FencedBlock(DumpText(dumps));
  }
  return text + KTSTR_TRY(LogMarkdown(index));
}

std::string AsMarkdown(std::string_view text) {
  std::string out;
  for (const char c : SafeText(text)) {
    // A name behind an "@" would be told, and no backslash prevents it.
    if (c == '@') {
      out += "&#64;";
      continue;
    }
    if (std::string_view("\\`*_[]<>&|~#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string FencedBlock(std::string_view text) {
  size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<size_t>(3, longest + 1), '`');
  return fmt::format("{}text\n{}{}{}\n", fence, text, text.ends_with('\n') ? "" : "\n", fence);
}

}  // namespace ktstr
