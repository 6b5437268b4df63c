// Subcommands that show tables of the index: the columns that people ask for first, and in JSON
// all of them.
#include <fmt/format.h>

#include <vector>

#include "analyze/command/command.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

struct Part {
  const char* name;  // a key in JSON; a heading in text, where there are several
  const char* text_sql;
  const char* json_sql;
};

struct TableCommand {
  const char* name;
  const char* help;
  std::vector<Part> parts;
};

const std::vector<TableCommand>& TableCommands() {
  static const std::vector<TableCommand> commands = {
      {"tasks",
       "Every thread: state, CPU, class, priority, runtime",
       {{"tasks",
         "SELECT pid, tgid, comm, state, cpu, on_cpu, class, prio, sum_exec_runtime_ns / 1000000 "
         "AS runtime_ms, nvcsw + nivcsw AS switches, affinity, cgroup FROM task ORDER BY pid = 0 "
         "DESC, pid, cpu",
         "SELECT * FROM task"}}},
      {"cpus",
       "Every CPU: what it runs and how long its queue is",
       {{"cpus",
         "SELECT cpu, online, curr_pid, curr_comm, nr_running, cfs_nr_running AS cfs, "
         "rt_nr_running AS rt, dl_nr_running AS dl, scx_nr_running AS scx, nr_switches, clock_ns "
         "FROM cpu ORDER BY cpu",
         "SELECT * FROM cpu ORDER BY cpu"}}},
      {"rq",
       "Who is queued on each CPU, queue by queue, in order",
       {{"tasks",
         "SELECT cpu, queue, position, pid, comm, running, prio, vruntime, deadline, cgroup, note "
         "FROM rq_task ORDER BY cpu, queue, position",
         "SELECT * FROM rq_task ORDER BY cpu, queue, position"}}},
      {"dsq",
       "sched_ext: every dispatch queue, and the tasks in it",
       {{"queues",
         "SELECT dsq_id, kind, scheduler, cpu, node, nr, by_vtime FROM dsq "
         "ORDER BY dsq_id, scheduler, node, cpu",
         "SELECT * FROM dsq ORDER BY dsq_id, scheduler, node, cpu"},
        {"tasks",
         "SELECT dsq_id, scheduler, cpu, position, vtime_position, pid, comm, vtime, slice_ns, "
         "waiting_ms FROM dsq_task ORDER BY dsq_id, scheduler, node, cpu, position",
         "SELECT * FROM dsq_task ORDER BY dsq_id, scheduler, node, cpu, position"}}},
      {"scx",
       "sched_ext: which scheduler, in which state, its callbacks and counters",
       {{"schedulers",
         "SELECT scheduler, ops_name, cgroup, enable_state, switch_all, bypass_depth, nr_rejected "
         "AS rejected, "
         "timeout_ms, watchdog_age_ms, oldest_waiting_ms, exit_kind, exit_reason, exit_message "
         "FROM scx",
         "SELECT * FROM scx"},
        {"callbacks", "SELECT scheduler, op, prog_id, prog_name FROM scx_op WHERE \"set\" = 1",
         "SELECT * FROM scx_op"},
        {"events", "SELECT scheduler, event, count FROM scx_event WHERE count != 0",
         "SELECT * FROM scx_event"},
        // What says nothing is left out: all of it, of the only scheduler of most machines.
        {"cpus",
         "SELECT scheduler, cpu, bypassing, caps, to_kick, to_kick_if_idle, to_preempt, to_wait "
         "FROM scx_cpu WHERE bypassing = 1 OR caps IS NOT NULL OR to_kick || to_kick_if_idle || "
         "to_preempt || to_wait != ''",
         "SELECT * FROM scx_cpu"}}},
      {"cgroups",
       "Control groups: weights, quotas, how many tasks",
       {{"cgroups",
         "SELECT path, nr_tasks, weight, cpu_max, nr_throttled, cpus_effective AS cpus, usage_ns / "
         "1000000 AS usage_ms FROM cgroup ORDER BY path",
         "SELECT * FROM cgroup ORDER BY path"}}},
      {"topology",
       "CPUs, cores, caches and nodes, and the scheduler's domains over them",
       {{"cpus",
         "SELECT cpu, online, package, die, core, node, llc, thread_siblings, llc_siblings FROM "
         "topology ORDER BY cpu",
         "SELECT * FROM topology ORDER BY cpu"},
        {"domains",
         "SELECT cpu, level, name, span, groups, imbalance_pct, nr_balance_failed, flag_names FROM "
         "sched_domain ORDER BY cpu, level",
         "SELECT * FROM sched_domain ORDER BY cpu, level"}}},
      {"log",
       "The kernel log",
       {{"log",
         "SELECT printf('%.6f', time_ns / 1e9) AS time_s, level, caller, text FROM log ORDER BY "
         "seq",
         "SELECT * FROM log ORDER BY seq"}}},
      {"memory",
       "How many pages were kept and left out, and why",
       {{"memory",
         "SELECT fate, reason, pages, round(pages / 256.0, 1) AS mib FROM memory ORDER BY pages "
         "DESC",
         "SELECT * FROM memory ORDER BY pages DESC"}}},
  };
  return commands;
}

Result<std::string> Json(Session& session, const TableCommand& command) {
  if (command.parts.size() == 1) return session.Answer(command.parts[0].json_sql);
  std::string text;
  for (const Part& part : command.parts) {
    std::string rows = KTSTR_TRY(session.Answer(part.json_sql));
    rows.pop_back();  // its newline
    text += fmt::format("{}\"{}\": {}", text.empty() ? "{" : ",\n", part.name, rows);
  }
  return text + "}\n";
}

Result<std::string> Text(Session& session, const TableCommand& command) {
  if (command.parts.size() == 1) return session.Answer(command.parts[0].text_sql);
  std::string text;
  for (const Part& part : command.parts) {
    const QueryResult result = KTSTR_TRY(KTSTR_TRY(session.Index())->Query(part.text_sql));
    if (!text.empty()) text += "\n";
    text += result.rows.empty()
                ? fmt::format("{}: none\n", part.name)
                : fmt::format("{}\n{}", part.name, ToTextTable(result, {TerminalWidth()}));
  }
  return text;
}

}  // namespace

void AddTableCommands(Options* app, Command* chosen) {
  for (const TableCommand& command : TableCommands()) {
    app->AddSubcommand(command.name, command.help, [chosen, &command](Options* table) {
      table->OnChosen([chosen, &command] {
        *chosen = [&command](Session& session) {
          return session.json() ? Json(session, command) : Text(session, command);
        };
      });
    });
  }
}

}  // namespace ktstr
