#include "analyze/diff/parts.h"

#include <iterator>

#include "analyze/diff/map_values.h"
#include "analyze/diff/table_diff.h"

namespace ktstr {

namespace {

constexpr const char* kTaskSubject =
    "printf('task %s (%s)', coalesce(comm, '?'), coalesce(pid, '?'))";
constexpr const char* kCpuSubject = "printf('CPU %d', cpu)";

TableDiff TasksOfOneRun() {
  return {
      "(SELECT t.*, r.queue, CASE WHEN t.on_cpu = 1 THEN 'yes' ELSE 'no' END AS running FROM "
      "{0}.task t LEFT JOIN {0}.runnable r ON r.task_kva = t.task_kva WHERE t.pid != 0)",
      {"pid", "start_time_ns"},
      kTaskSubject,
      "printf('%s, class %s, CPU %s', coalesce(state, '?'), coalesce(class, '?'), "
      "coalesce(cpu, '?'))",
      {"state", "running", "cpu", "queue", "class", "comm", "policy", "prio", "wchan", "affinity",
       "cgroup", "tgid", "ppid", "scx_weight"}};
}

// A name is not one task, and CPUs and states are chance.
TableDiff TasksOfDifferentRuns() {
  return {
      "(SELECT comm, count(*) AS tasks, group_concat(DISTINCT class) AS classes FROM (SELECT "
      "comm, class FROM {0}.task WHERE pid != 0 ORDER BY class) GROUP BY comm)",
      {"comm"},
      "'tasks named ' || coalesce(comm, '?')",
      "printf('%d, class %s', tasks, coalesce(classes, '?'))",
      {"tasks", "classes"}};
}

TableDiff Cpus() {
  return {
      "(SELECT *, printf('%s (%s)', coalesce(curr_comm, '?'), coalesce(curr_pid, '?')) AS running "
      "FROM "
      "{0}.cpu)",
      {"cpu"},
      kCpuSubject,
      "NULL",
      {"online", "running", "nr_running", "cfs_nr_running", "rt_nr_running", "dl_nr_running",
       "scx_nr_running", "scx_flag_names"}};
}

TableDiff Dsqs(bool one_run) {
  TableDiff dsqs = {"{0}.dsq",
                    {"kind", "dsq_id", "scheduler", "cpu", "node"},
                    "printf('%s DSQ %s', kind, coalesce(dsq_id, '?')) || coalesce(' of CPU ' || "
                    "cpu, ' of node ' || node, '') || iif(scheduler > 0, ' of scheduler ' || "
                    "scheduler, '')",
                    "printf('%s tasks', coalesce(nr, '?'))",
                    {"nr"}};
  if (one_run) dsqs.identity = {"dsq_kva", "dsq_id"};
  return dsqs;
}

std::vector<TableDiff> SchedExt() {
  return {{"{0}.scx",
           {"scheduler"},
           "coalesce('scheduler ' || ops_name || iif(level > 0, ' of cgroup ' || cgroup, ''), "
           "'sched_ext')",
           "coalesce(enable_state, '?')",
           {"ops_name", "enable_state", "switch_all", "bypass_depth", "enable_seq", "nr_rejected",
            "hotplug_seq", "timeout_ms", "oldest_waiting_ms", "watchdog_margin_ms", "exit_kind",
            "exit_code", "exit_reason", "exit_message"}},
          {"(SELECT *, \"set\" AS is_set FROM {0}.scx_op)",
           {"scheduler", "op"},
           "'callback ' || op || iif(scheduler > 0, ' of scheduler ' || scheduler, '')",
           "prog_name",
           {"is_set", "prog_name"}}};
}

std::vector<TableDiff> Maps(bool one_run) {
  TableDiff maps = {"{0}.bpf_map",
                    {"name", "type"},
                    "printf('map %s (%d)', coalesce(name, '?'), id)",
                    "printf('%s, %s entries', type, coalesce(entries, '?'))",
                    {"entries", "max_entries", "frozen"}};
  // What belongs to a task means nothing in another run.
  TableDiff values = {"(SELECT * FROM {0}.map_value WHERE pid IS NULL)",
                      {"map", "cpu", "key"},
                      "coalesce(map, '?') || '[' || coalesce(key, '?') || ']' || coalesce(' of "
                      "CPU ' || cpu, '')",
                      "value",
                      {"value"}};
  if (one_run) {
    maps.identity = {"id"};
    values.table = "{0}.map_value";
    values.identity = {"map_id", "cpu", "pid", "key"};
  }
  return {maps, values};
}

std::vector<TableDiff> Counters() {
  return {{"{0}.cpu",
           {"cpu"},
           kCpuSubject,
           "NULL",
           {"nr_switches", "sched_count", "sched_goidle", "ttwu_count", "ttwu_local", "yld_count",
            "idle_calls", "idle_sleeps", "rq_cpu_time_ns", "run_delay_ns", "pcount"}},
          {"{0}.scx_event",
           {"scheduler", "event"},
           "'event ' || event || iif(scheduler > 0, ' of scheduler ' || scheduler, '')",
           "NULL",
           {"count"}},
          {"{0}.bpf_prog",
           {"id"},
           "printf('program %s (%d)', coalesce(name, '?'), id)",
           "NULL",
           {"run_cnt", "run_time_ns", "recursion_misses"}},
          {"{0}.cgroup",
           {"cgroup_kva", "path"},
           "'cgroup ' || path",
           "NULL",
           {"usage_ns", "nr_periods", "nr_throttled", "throttled_ns"}},
          {"(SELECT * FROM {0}.task WHERE pid != 0)",
           {"pid", "start_time_ns"},
           kTaskSubject,
           "NULL",
           {"sum_exec_runtime_ns", "run_delay_ns", "nvcsw", "nivcsw", "pcount", "utime_ns",
            "stime_ns", "vruntime"}}};
}

std::vector<TableDiff> TablesOf(DiffPart part, bool one_run) {
  switch (part) {
    case DiffPart::kTasks:
      return {one_run ? TasksOfOneRun() : TasksOfDifferentRuns()};
    case DiffPart::kQueues:
      return {Cpus(), Dsqs(one_run)};
    case DiffPart::kScx:
      return SchedExt();
    case DiffPart::kMaps:
      return Maps(one_run);
    case DiffPart::kCounters:
      return one_run ? Counters() : std::vector<TableDiff>();
    case DiffPart::kMemory:
      return {};
  }
  return {};
}

}  // namespace

Result<std::vector<Difference>> ComparePart(Database& both, DiffPart part,
                                            const Relation& relation) {
  std::vector<Difference> all;
  for (const TableDiff& table : TablesOf(part, relation.one_run)) {
    std::vector<Difference> found =
        KTSTR_TRY(part == DiffPart::kCounters ? CompareCounters(both, table, relation.elapsed_ns)
                                              : CompareTables(both, table));
    if (part == DiffPart::kMaps) found = ByMember(std::move(found), relation.elapsed_ns);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace ktstr
