-- Every dispatch queue of sched_ext that is not empty: how full, and who has waited longest.
CREATE VIEW dsq_depth(
  -- Id of the queue.
  dsq_id,
  -- local, global, user or bypass.
  kind,
  -- CPU of a local or bypass queue.
  cpu,
  -- NUMA node of a global queue.
  node,
  -- Number in table scx of the scheduler whose it is.
  scheduler,
  -- Tasks in it, as the kernel counts.
  nr,
  -- Tasks found in it.
  found,
  -- How long the one that has waited longest has.
  longest_waiting_ms,
  -- Its thread id.
  longest_pid,
  -- Its name.
  longest_comm,
  -- Address of the struct scx_dispatch_q.
  dsq_kva
) AS
SELECT q.dsq_id, q.kind, q.cpu, q.node, q.scheduler, q.nr, count(w.dsq_kva), max(w.waiting_ms), w.pid, w.comm,
       q.dsq_kva
FROM dsq q
LEFT JOIN dsq_task w ON w.dsq_kva = q.dsq_kva
GROUP BY q.dsq_kva
HAVING q.nr != 0 OR count(w.dsq_kva) != 0
ORDER BY max(w.waiting_ms) DESC, q.nr DESC;
