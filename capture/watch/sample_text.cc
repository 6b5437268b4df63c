#include "capture/watch/sample_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr size_t kMaxQueues = 8;  // named in the header
constexpr double kNanosecondsPerMs = 1e6, kNanosecondsPerSecond = 1e9;

std::string ToCell(const std::optional<int64_t>& number) {
  return number ? fmt::format("{}", *number) : "?";
}
std::string ToCell(const std::optional<std::string>& text) { return text ? SafeText(*text) : "?"; }

const char* MarkOf(bool torn) { return torn ? "~" : ""; }

struct TextColumn {
  const char* name;
  bool right;  // numbers stand right
  bool of_scx;
  std::string (*cell)(const CpuSample&);
};

const TextColumn kColumns[] = {
    {"", false, false, [](const CpuSample& c) -> std::string { return MarkOf(c.torn); }},
    {"cpu", true, false, [](const CpuSample& c) { return fmt::format("{}", c.cpu); }},
    {"pid", true, false, [](const CpuSample& c) { return ToCell(c.pid); }},
    {"running", false, false,
     [](const CpuSample& c) {
       return c.online == false ? std::string("(offline)") : ToCell(c.comm);
     }},
    {"class", false, false, [](const CpuSample& c) { return ToCell(c.task_class); }},
    {"queued", true, false, [](const CpuSample& c) { return ToCell(c.nr_running); }},
    {"cfs", true, false, [](const CpuSample& c) { return ToCell(c.cfs); }},
    {"rt", true, false, [](const CpuSample& c) { return ToCell(c.rt); }},
    {"dl", true, false, [](const CpuSample& c) { return ToCell(c.dl); }},
    {"scx", true, true, [](const CpuSample& c) { return ToCell(c.scx); }},
    {"local", true, true, [](const CpuSample& c) { return ToCell(c.local_dsq); }},
    {"switch/s", true, false,
     [](const CpuSample& c) {
       return c.switches_per_s ? fmt::format("{:.0f}", *c.switches_per_s) : std::string("?");
     }},
    {"clock age", true, false,
     [](const CpuSample& c) {
       return c.clock_behind_ns ? fmt::format("{:.1f} ms", *c.clock_behind_ns / kNanosecondsPerMs)
                                : std::string("?");
     }},
    {"scx flags", false, true,
     [](const CpuSample& c) {
       return c.scx_flag_names && c.scx_flag_names->empty() ? std::string("-")
                                                            : ToCell(c.scx_flag_names);
     }},
};

std::string NameOf(const ScxSample& scx, const DsqSample& dsq) {
  std::string name = dsq.kind == "global" ? fmt::format("global of node {}", ToCell(dsq.node))
                     : dsq.id             ? fmt::format("{:#x}", dsq.id->value)
                                          : std::string("?");
  if (dsq.scheduler == 0) return name;
  const auto number = static_cast<size_t>(dsq.scheduler);
  const bool known = number < scx.schedulers.size() && scx.schedulers[number].cgroup;
  return name + (known ? fmt::format(" of {}", SafeText(*scx.schedulers[number].cgroup))
                       : fmt::format(" of scheduler {}", number));
}

std::string QueuesLine(const ScxSample& scx) {
  std::string text;
  size_t named = 0, more = 0;
  for (const DsqSample& dsq : scx.dsqs) {
    if (dsq.nr == 0) continue;
    if (++named > kMaxQueues) {
      ++more;
      continue;
    }
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", NameOf(scx, dsq), ToCell(dsq.nr));
  }
  if (more != 0) text += fmt::format(", and {} more", more);
  if (text.empty()) text = "all empty";
  return fmt::format("{}queues     {}", MarkOf(scx.torn), text);
}

std::string WaitingText(const WaitingTask& task, std::optional<int64_t> margin) {
  return fmt::format("{} ({}) on CPU {} for {} ms; the watchdog {}", ToCell(task.comm),
                     ToCell(task.pid), task.cpu, ToCell(task.waiting_ms),
                     margin && *margin < 0 ? fmt::format("is due for {} ms", -*margin)
                                           : fmt::format("strikes in {} ms", ToCell(margin)));
}

// A line for each scheduler of whose tasks one waits; where there is but one scheduler, or none can
// be told, for the one that has waited for longest.
std::vector<std::string> WaitingLines(const ScxSample& scx) {
  std::vector<std::string> texts;
  if (scx.schedulers.size() > 1) {
    for (const SchedulerSample& scheduler : scx.schedulers) {
      if (!scheduler.oldest) continue;
      texts.push_back(WaitingText(*scheduler.oldest, scheduler.watchdog_margin_ms) + ", of " +
                      SafeText(NameOf(scheduler)));
    }
  }
  if (texts.empty() && scx.oldest) {
    texts.push_back(WaitingText(*scx.oldest, scx.watchdog_margin_ms));
  }
  if (texts.empty()) texts.push_back(scx.oldest_torn ? "nobody seen" : "nobody");
  std::vector<std::string> lines;
  for (const std::string& text : texts) {
    lines.push_back(
        fmt::format("{}{:<11}{}", MarkOf(scx.oldest_torn), lines.empty() ? "waiting" : "", text));
  }
  return lines;
}

// The schedulers below the root one, each with the cgroup that it schedules.
std::string SubSchedulersText(const ScxSample& scx) {
  std::string text;
  for (size_t i = 1; i < scx.schedulers.size(); ++i) {
    text += (i == 1 ? "; below it " : ", ") + SafeText(NameOf(scx.schedulers[i]));
  }
  return text;
}

std::vector<std::string> HeaderOf(const WatchSample& sample) {
  const std::string up = sample.uptime_ns
                             ? fmt::format("{:.3f}", *sample.uptime_ns / kNanosecondsPerSecond)
                             : std::string("?");
  std::vector<std::string> lines = {
      fmt::format("guest      Linux {}, up {} s{}", SafeText(sample.release), up,
                  sample.run_state ? ", " + SafeText(*sample.run_state) : "")};
  if (!sample.scx) {
    lines.push_back("sched_ext  not in this kernel");
    return lines;
  }
  const ScxSample& scx = *sample.scx;
  // Without a scheduler its name is not there; with one it must be.
  const bool without = !scx.ops_name && scx.enable_state == "disabled";
  lines.push_back(fmt::format("{}sched_ext  {}{}{}", MarkOf(scx.torn),
                              without ? "" : ToCell(scx.ops_name) + " ", ToCell(scx.enable_state),
                              SubSchedulersText(scx)));
  for (std::string& line : WaitingLines(scx)) lines.push_back(std::move(line));
  lines.push_back(QueuesLine(scx));
  return lines;
}

using Rows = std::vector<std::vector<std::string>>;

Rows TableOf(const WatchSample& sample) {
  Rows rows(1 + sample.cpus.size());
  for (const TextColumn& column : kColumns) {
    if (column.of_scx && !sample.scx) continue;
    size_t row = 0;
    rows[row++].push_back(column.name);
    for (const CpuSample& cpu : sample.cpus) rows[row++].push_back(column.cell(cpu));
    size_t width = 1;
    for (const auto& cells : rows) width = std::max(width, DisplayWidth(cells.back()));
    for (auto& cells : rows) {
      const std::string padding(width - DisplayWidth(cells.back()), ' ');
      cells.back() = column.right ? padding + cells.back() : cells.back() + padding;
    }
  }
  return rows;
}

std::string Joined(const std::vector<std::string>& cells) {
  // The mark stands close to the number of its CPU.
  std::string line = cells[0] + cells[1];
  for (size_t c = 2; c < cells.size(); ++c) line += "  " + cells[c];
  line.resize(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::vector<std::string> ToLines(const WatchSample& sample, size_t max_width) {
  std::vector<std::string> lines = HeaderOf(sample);
  for (const auto& cells : TableOf(sample)) lines.push_back(Joined(cells));
  if (max_width != 0) {
    for (std::string& line : lines) line = CutTo(line, max_width);
  }
  return lines;
}

}  // namespace ktstr
