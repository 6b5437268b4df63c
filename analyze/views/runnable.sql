-- Every task that waits for a CPU: where, and how long; the longest first.
CREATE VIEW runnable(
  -- Thread id.
  pid,
  -- Its name.
  comm,
  -- Scheduling class.
  class,
  -- CPU whose run queue it is on.
  cpu,
  -- Where it stands: a queue of the class, or a dispatch queue of sched_ext; throttled while its
  -- group's quota is used up and it is in no queue; NULL when in none for another reason.
  queue,
  -- Its place there, from 0.
  position,
  -- How long it has waited.
  waiting_ns,
  -- CPUs it may use, as a list.
  affinity,
  -- Address of its task_struct.
  task_kva
) AS
SELECT t.pid, t.comm, t.class, t.cpu,
       CASE WHEN d.dsq_kva IS NOT NULL
              THEN coalesce(q.kind, '?') || ' DSQ ' || coalesce(d.dsq_id, '?') ||
                   coalesce(' of CPU ' || d.cpu, ' of node ' || d.node, '') ||
                   coalesce((SELECT ' of scheduler ' || n.name FROM scheduler_name n WHERE n.scheduler = d.scheduler AND n.level > 0), '')
            WHEN r.queue = 'cfs_throttled' THEN 'throttled'
            ELSE r.queue END,
       coalesce(d.vtime_position, d.position, r.position),
       -- By whichever clock tells.
       nullif(max(coalesce(t.waiting_ns, -1), coalesce(t.scx_waiting_ms * 1000000, -1)), -1),
       t.affinity, t.task_kva
FROM task t
LEFT JOIN dsq_task d ON d.task_kva = t.task_kva
LEFT JOIN dsq q ON q.dsq_kva = d.dsq_kva
LEFT JOIN rq_task r ON r.task_kva = t.task_kva AND r.queue IN ('cfs', 'cfs_throttled', 'rt', 'dl')
WHERE t.on_rq = 1 AND t.on_cpu = 0 AND t.pid != 0
ORDER BY 7 DESC, t.pid;
