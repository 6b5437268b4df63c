#include "analyze/html/report_tables.h"

#include <fmt/format.h>

#include <string>

#include "analyze/index/tables.h"

namespace ktstr {

namespace {

// Of an event, in characters. The kernel's own lines end at TRACE_SEQ_SIZE bytes, a page before
// Linux 6.8 (include/linux/trace_seq.h); what an archive that somebody made up holds may be longer.
constexpr int kLongestEventText = 4096;

}  // namespace

const char* ReportTaskSql() {
  return "SELECT t.pid, t.comm, t.state, t.class, t.cpu, t.on_cpu, t.prio, "
         "CASE WHEN t.on_rq = 1 AND t.on_cpu = 0 THEN nullif(max(coalesce(t.waiting_ns, -1), "
         "  coalesce(t.scx_waiting_ms * 1000000, -1)), -1) END AS waiting_ns, "
         "r.queue, t.wchan, t.sum_exec_runtime_ns, t.run_delay_ns, t.nvcsw, t.nivcsw, "
         "t.affinity, t.cgroup, t.tgid, t.ppid, t.policy, t.is_kthread, t.on_rq, t.start_time_ns, "
         "t.utime_ns, t.stime_ns, t.vruntime, t.scx_state, t.scx_ops_state, t.scx_weight, "
         "t.scx_slice_ns, t.scx_dsq_id, t.scx_flag_names, t.task_kva "
         "FROM task t LEFT JOIN runnable r ON r.task_kva = t.task_kva "
         "ORDER BY t.pid = 0, t.on_cpu DESC, waiting_ns DESC NULLS LAST, t.pid, t.cpu";
}

const std::vector<ReportTable>& ReportTables() {
  static const std::string trace_sql = fmt::format(
      "SELECT seq, coalesce(comm, '<...>') || '-' || coalesce(pid, '?') AS task, cpu, flags, "
      "time_ns, "
      "age_ns, event, CASE WHEN length(text) > {0} THEN substr(text, 1, {0}) || '…' ELSE text END "
      "AS text FROM (SELECT * FROM trace ORDER BY seq DESC LIMIT {1}) ORDER BY seq",
      kLongestEventText, kReportTraceEvents);
  static const std::vector<ReportTable> tables = {
      {"sched_ext",
       "scx",
       "Schedulers",
       "SELECT ops_name, enable_state, switch_all, bypass_depth, nr_rejected, timeout_ms, "
       "watchdog_age_ms, oldest_waiting_ms, watchdog_margin_ms, exit_kind, exit_reason, "
       "exit_message, scheduler, level, cgroup, ops_flags, sched_kva FROM scx",
       {"scx"},
       true},
      {"sched_ext", "scx_op", "Callbacks", "SELECT * FROM scx_op", {"scx_op"}},
      {"sched_ext", "scx_event", "Events", "SELECT * FROM scx_event", {"scx_event"}},
      {"sched_ext", "scx_cpu", "Schedulers by CPU", "SELECT * FROM scx_cpu", {"scx_cpu"}},
      {"Queues", "cpu", "CPUs", "SELECT * FROM cpu ORDER BY cpu", {"cpu"}},
      {"Queues",
       "rq_task",
       "Tasks on run queues",
       "SELECT * FROM rq_task ORDER BY cpu, queue, position",
       {"rq_task"}},
      {"Queues",
       "dsq",
       "Dispatch queues",
       "SELECT * FROM dsq ORDER BY nr DESC, dsq_id, scheduler, node, cpu",
       {"dsq"}},
      {"Queues",
       "dsq_task",
       "Tasks in dispatch queues",
       "SELECT * FROM dsq_task ORDER BY dsq_id, node, cpu, dsq_kva, coalesce(vtime_position, "
       "position)",
       {"dsq_task"}},
      {"Queues", "topology", "Topology", "SELECT * FROM topology ORDER BY cpu", {"topology"}},
      {"Queues",
       "sched_domain",
       "Scheduling domains",
       "SELECT * FROM sched_domain ORDER BY cpu, level",
       {"sched_domain"}},
      {"Queues", "cgroup", "Control groups", "SELECT * FROM cgroup ORDER BY path", {"cgroup"}},
      {"Waiting",
       "lock_wait",
       "Tasks that wait for something",
       "SELECT * FROM lock_wait",
       {"lock_wait"}},
      {"Waiting", "blocked_chain", "Chains of owners", "SELECT * FROM blocked_chain", {}},
      {"Waiting", "timer", "Timers", "SELECT * FROM timer", {"timer"}},
      {"Waiting", "work_item", "Work items", "SELECT * FROM work_item", {"work_item"}},
      {"BPF", "map_value", "Values of maps", "SELECT * FROM map_value", {"bpf_map_value"}},
      {"BPF", "bpf_map", "Maps", "SELECT * FROM bpf_map ORDER BY id", {"bpf_map"}},
      {"BPF", "bpf_prog", "Programs", "SELECT * FROM bpf_prog ORDER BY id", {"bpf_prog"}},
      {"BPF", "bpf_link", "Links", "SELECT * FROM bpf_link ORDER BY id", {"bpf_link"}},
      {"Log",
       "log",
       "Kernel log",
       "SELECT seq, time_ns, level, caller, text FROM log ORDER BY seq",
       {"log"},
       true},
      {kTraceSection.data(), "trace", "Events", trace_sql.c_str(), {"trace"}, true},
      {kTraceSection.data(),
       "trace_buffer",
       "Buffers",
       "SELECT * FROM trace_buffer ORDER BY buffer, snapshot, cpu",
       {"trace_buffer"}},
      {"Capture", "machine", "Machine", "SELECT * FROM machine", {"machine"}},
      {"Capture", "kernel", "Kernels in memory", "SELECT * FROM kernel", {"kernel"}},
      {"Capture",
       "crash_note",
       "Registers at the crash",
       "SELECT * FROM crash_note",
       {"crash_note"}},
      {"Capture", "vcpu", "Registers", "SELECT * FROM vcpu ORDER BY cpu", {"vcpu"}},
      {"Capture", "memory", "Memory", "SELECT * FROM memory ORDER BY pages DESC", {"memory"}},
      {"Capture",
       "derivation",
       "How the kernel was found",
       "SELECT * FROM derivation",
       {"derivation"}},
      {"Capture", "tag", "Tags", "SELECT * FROM tag", {"tag"}},
      {"Capture", "anomaly", "Not read or not understood", "SELECT * FROM anomaly", {"anomaly"}},
  };
  return tables;
}

const TableInfo* FindTableInfo(const char* name) {
  for (const TableInfo* table : AllTableInfos()) {
    if (table->name == name) return table;
  }
  return nullptr;
}

}  // namespace ktstr
