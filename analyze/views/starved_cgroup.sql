-- A cgroup of which every runnable task waits in one dispatch queue, in which nobody else waits, while CPUs run tasks of other cgroups of the same scheduler and none of this one.
CREATE VIEW starved_cgroup(
  -- Number in table scx.
  scheduler,
  -- The queue.
  dsq_kva,
  -- Its path.
  cgroup
) AS
WITH kept AS (
  SELECT coalesce(k.scx_scheduler, 0) AS scheduler, k.cgroup
  FROM cpu c JOIN task k ON k.task_kva = c.curr_kva
  WHERE c.online = 1 AND k.class = 'ext' AND k.pid != 0),
waiting AS (
  SELECT coalesce(t.scx_scheduler, 0) AS scheduler, min(w.dsq_kva) AS dsq_kva, min(t.cgroup) AS cgroup
  FROM task t LEFT JOIN dsq_task w ON w.task_kva = t.task_kva LEFT JOIN dsq q ON q.dsq_kva = w.dsq_kva
  -- Those in a CPU's own queue have been dispatched.
  WHERE t.class = 'ext' AND t.pid != 0 AND t.on_rq = 1 AND t.on_cpu = 0 AND q.kind IS NOT 'local'
  GROUP BY coalesce(t.scx_scheduler, 0)
  HAVING count(*) = count(w.dsq_kva) AND count(DISTINCT w.dsq_kva) = 1 AND count(DISTINCT t.cgroup) = 1)
SELECT scheduler, dsq_kva, cgroup FROM waiting w
WHERE cgroup != '/'
  AND EXISTS (SELECT 1 FROM kept k WHERE k.scheduler = w.scheduler)
  AND NOT EXISTS (SELECT 1 FROM kept k WHERE k.scheduler = w.scheduler AND k.cgroup = w.cgroup);
