// Rows of machines in which something is wrong, for tests of the verdict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "findings_machine.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/scx.h"

namespace ktstr {

inline constexpr int64_t kNow = 100 * kSecond;  // FindingsMachine::WithCpus
inline constexpr int64_t kMillisecond = 1'000'000;

inline ScxRow Scheduler() {
  ScxRow scx;
  scx.scheduler = 0;
  scx.ops_name = "s";
  scx.enable_state = "enabled";
  scx.bypass_depth = 0;
  scx.exit_kind = "none";
  scx.watchdog_margin_ms = 3000;
  scx.watchdog_timeout_ms = 5000;
  return scx;
}

// A task of sched_ext's that waits since so many milliseconds before now.
inline TaskRow Waits(int64_t pid, int64_t waiting_ms) {
  TaskRow task = Task(pid, "ext");
  task.on_rq = 1;
  task.state = "R";
  task.scx_waiting_ms = waiting_ms;
  task.last_arrival_ns = kNow - waiting_ms * kMillisecond - kMillisecond;
  return task;
}
// One that has its CPU since then.
inline TaskRow Runs(int64_t pid, int64_t running_ms, const std::string& sched_class = "ext") {
  TaskRow task = Task(pid, sched_class);
  task.on_rq = task.on_cpu = 1;
  task.state = "R";
  task.last_arrival_ns = kNow - running_ms * kMillisecond;
  return task;
}

// CPU 0, which runs that thread.
inline CpuRow CpuThatRuns(uint64_t pid) {
  CpuRow cpu;
  cpu.cpu = 0;
  cpu.online = 1;
  cpu.clock_ns = kNow;
  cpu.idle_kva = IdleTaskOf(0);
  cpu.curr_kva = Hex(pid);
  return cpu;
}

inline DsqRow Queue(const std::string& kind = "user", std::optional<int64_t> cpu = std::nullopt) {
  DsqRow queue;
  queue.kind = kind;
  queue.cpu = cpu;
  queue.dsq_id = kind == "local" ? Hex(0x8000000000000002) : Hex(7);
  queue.dsq_kva = Hex(0xd);
  queue.nr = 1;
  queue.by_vtime = 0;
  return queue;
}
inline DsqTaskRow InQueue(const TaskRow& task) {
  DsqTaskRow row;
  row.dsq_id = Hex(7);
  row.dsq_kva = Hex(0xd);
  row.pid = task.pid;
  row.comm = task.comm;
  row.task_kva = task.task_kva;
  row.position = 0;
  row.waiting_ms = task.scx_waiting_ms;
  return row;
}

}  // namespace ktstr
