// ktstr-analyze: asks an archive what was going on.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "ktstr/analyze/index.h"
#include "ktstr/analyze/memory_sql/memory_sql.h"
#include "ktstr/analyze/output.h"
#include "ktstr/analyze/summary.h"
#include "ktstr/base/process.h"
#include "ktstr/base/safe_text.h"

namespace {

using ktstr::Database;
using ktstr::ExitCode;
using ktstr::Result;

struct Arguments {
  std::string archive;
  std::string sql;
  double timeout_s = 60;
  bool json = false;
  bool no_index = false;
  bool accept_damage = false;
  std::string vmlinux;
};

constexpr const char* kTasksQuery =
    "SELECT pid, tgid, comm, state, cpu, on_cpu, class, prio, sum_exec_runtime_ns / 1000000 AS "
    "runtime_ms, "
    "nvcsw + nivcsw AS switches, affinity, cgroup FROM task ORDER BY pid = 0 DESC, pid, cpu";
constexpr const char* kCpusQuery =
    "SELECT cpu, online, curr_pid, curr_comm, nr_running, cfs_nr_running AS cfs, rt_nr_running AS "
    "rt, "
    "dl_nr_running AS dl, scx_nr_running AS scx, nr_switches, clock_ns FROM cpu ORDER BY cpu";
constexpr const char* kFindingsQuery = "SELECT severity, subject, detail, rule FROM finding";
constexpr const char* kLogQuery =
    "SELECT printf('%.6f', time_ns / 1e9) AS time_s, level, caller, text FROM log ORDER BY seq";

int Report(const ktstr::Error& error) {
  fmt::print(stderr, "ktstr-analyze: {}\n", ktstr::SafeText(error.ToString()));
  return static_cast<int>(ktstr::ExitCodeFor(error.code()));
}

Result<std::string> Answer(const Arguments& arguments, const Database& index,
                           const std::string& command) {
  if (command == "summary") {
    return arguments.json ? ktstr::SummaryJson(index)
                          : ktstr::SummaryText(index, arguments.archive, ktstr::TerminalWidth());
  }
  // As JSON a table has all its columns.
  const auto pick = [&](const char* text, const char* all) { return arguments.json ? all : text; };
  std::string sql = arguments.sql;
  if (command == "tasks") sql = pick(kTasksQuery, "SELECT * FROM task");
  if (command == "findings") sql = pick(kFindingsQuery, "SELECT * FROM finding");
  if (command == "cpus") sql = pick(kCpusQuery, "SELECT * FROM cpu ORDER BY cpu");
  if (command == "log") sql = pick(kLogQuery, "SELECT * FROM log ORDER BY seq");
  const ktstr::QueryResult result = KTSTR_TRY(index.Query(sql, {arguments.timeout_s}));
  return arguments.json ? ktstr::ToJson(result)
                        : ktstr::ToTextTable(result, {ktstr::TerminalWidth()});
}

int Run(const Arguments& arguments, const std::string& command) {
  auto machine = ktstr::FrozenMachine::Open(arguments.archive);
  if (!machine) return Report(machine.error());
  ktstr::MemorySource memory(*std::move(machine), arguments.vmlinux);
  ktstr::QueryAnomalies anomalies;
  auto index = ktstr::OpenIndex(memory.machine(),
                                {!arguments.no_index, arguments.accept_damage, arguments.vmlinux});
  if (!index) return Report(index.error());
  if (const auto added = ktstr::AddMemorySql(*index, memory, anomalies); !added) {
    return Report(added.error());
  }
  const auto answer = Answer(arguments, *index, command);
  if (!answer) return Report(answer.error());
  std::fwrite(answer->data(), 1, answer->size(), stdout);
  if (std::fflush(stdout) != 0) {
    return Report(ktstr::Error(ktstr::ErrorCode::kIo, "writing to standard output failed"));
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

int main(int argc, char** argv) {
  ktstr::ReportRefusedWrites();
  CLI::App app{
      "Asks a frozen machine (.kts) what was going on.\n"
      "The first question about an archive builds its index (FILE.index beside it, or in the "
      "user's\n"
      "cache directory); later ones only read that.",
      "ktstr-analyze"};
  Arguments arguments;
  app.add_option("FILE", arguments.archive, "The archive")->required()->type_name("");
  app.add_flag("--json", arguments.json, "An array of objects keyed by column, all columns");
  app.add_flag("--no-index", arguments.no_index, "Answer without reading or writing an index");
  app.add_flag("--accept-damage", arguments.accept_damage,
               "Show what can still be read of a damaged archive (implies --no-index)");
  app.add_option(
      "--vmlinux", arguments.vmlinux,
      "Take symbols and types from this file, not from the guest's memory (implies --no-index)");
  app.set_version_flag("--version", std::string("ktstr-analyze ") + KTSTR_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(24);
  app.footer(
      "Examples:\n"
      "  ktstr-analyze demo.kts\n"
      "  ktstr-analyze demo.kts tasks --json\n"
      "  ktstr-analyze demo.kts sql \"SELECT comm, cpu FROM task WHERE state = 'R'\"\n\n"
      "Exit codes: 0 answered, 2 wrong usage or SQL, 3 the archive cannot be used, 4 the system "
      "refused.");

  app.add_subcommand("summary",
                     "One screen: kernel, machine, what runs where, last log lines (default)");
  app.add_subcommand("findings", "What is wrong, by rules over everything that was read");
  app.add_subcommand("tasks", "Every thread: state, CPU, class, priority, runtime");
  app.add_subcommand("cpus", "Every CPU: what it runs and how long its queue is");
  app.add_subcommand("log", "The kernel log");
  CLI::App* sql = app.add_subcommand("sql", "Any query over the tables (only reading)");
  sql->add_option("QUERY", arguments.sql, "One SELECT statement")->required()->type_name("");
  sql->add_option("--timeout", arguments.timeout_s, "Give up after that many seconds; 0: never")
      ->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return static_cast<int>(code == 0 ? ExitCode::kDone : ExitCode::kUsage);
  }
  const auto chosen = app.get_subcommands();
  return Run(arguments, chosen.empty() ? "summary" : chosen.front()->get_name());
}
