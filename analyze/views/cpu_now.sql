-- What runs on each CPU, since when, and where it is; of a kernel that crashed, what ran then.
CREATE VIEW cpu_now(
  -- Number, as the kernel counts.
  cpu,
  -- kernel, user or halted.
  mode,
  -- Thread that runs; 0 is the idle task.
  pid,
  -- Its name.
  comm,
  -- Its scheduling class.
  class,
  -- Its effective priority.
  prio,
  -- How long it has had the CPU; NULL for the idle task.
  running_ns,
  -- Where it executes: function+offset in kernel mode, an address in user mode.
  at,
  -- Tasks on the run queue, the running one included.
  nr_running,
  -- The tasks that wait in its own queues, first ones first.
  waiting,
  -- Address of the running thread's task_struct.
  task_kva
) AS
SELECT c.cpu, coalesce(n.mode, v.mode), c.curr_pid, c.curr_comm, t.class, t.prio,
       CASE WHEN c.curr_kva != c.idle_kva
            THEN (SELECT max(clock_ns) FROM cpu) - t.last_arrival_ns END,
       coalesce(n.rip_symbol, n.rip, v.rip_symbol, v.rip), c.nr_running,
       (SELECT group_concat(w.comm || ' (' || w.pid || ')', ', ')
        FROM (SELECT comm, pid FROM rq_task r
              WHERE r.cpu = c.cpu AND coalesce(r.running, 0) = 0 AND r.queue != 'scx_runnable'
              ORDER BY r.queue, r.position) w),
       c.curr_kva
FROM cpu c
LEFT JOIN task t ON t.task_kva = c.curr_kva
LEFT JOIN vcpu v ON v.kernel_cpu = c.cpu
LEFT JOIN crash_note n ON n.cpu = c.cpu
ORDER BY c.cpu;
