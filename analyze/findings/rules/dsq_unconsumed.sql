-- Nothing takes tasks out of a dispatch queue: the first has waited there for longer than a second, nobody who stands in it has got a CPU since, and a CPU that it may use has been given to others of the same scheduler meanwhile. Silent where those others stood before it in that queue's order, or may have.
-- check: error: every dispatch queue in which tasks wait is consumed
-- when: SELECT 1 FROM scx
-- rank: 32
-- counted: queue that nothing consumes, queues that nothing consumes
WITH now AS (SELECT max(clock_ns) AS ns FROM cpu),
queue AS (
  SELECT q.dsq_kva, q.dsq_id, q.scheduler, q.by_vtime, count(*) AS n, max(w.waiting_ms) AS waiting_ms,
         max(t.last_arrival_ns) AS last_arrival_ns, min(CAST(w.vtime AS text)) AS vtime,
         iif(count(DISTINCT t.cgroup) = 1, min(t.cgroup), NULL) AS cgroup
  FROM dsq q JOIN dsq_task w ON w.dsq_kva = q.dsq_kva JOIN task t ON t.task_kva = w.task_kva
  JOIN scx x ON x.scheduler = coalesce(q.scheduler, 0) AND x.enable_state = 'enabled' AND coalesce(x.bypass_depth, 0) = 0
  WHERE q.kind = 'user'
  GROUP BY q.dsq_kva
  HAVING max(w.waiting_ms) > 1000),
fed AS (
  SELECT q.dsq_kva, c.cpu, t.comm, t.pid, t.cgroup
  FROM queue q JOIN cpu c ON c.online = 1 JOIN task t ON t.task_kva = c.curr_kva AND t.class = 'ext'
  -- Again and again, and not only once when the wait began: else the scheduler dispatches nothing at all. Where all who
  -- wait are of one cgroup, there was nobody else to dispatch.
  WHERE (t.last_arrival_ns > (SELECT ns FROM now) - q.waiting_ms * 500000
         OR EXISTS (SELECT 1 FROM starved_cgroup s WHERE s.dsq_kva = q.dsq_kva))
    AND coalesce(t.scx_scheduler, 0) = coalesce(q.scheduler, 0)
    AND EXISTS (SELECT 1 FROM dsq_task w JOIN task o ON o.task_kva = w.task_kva
                WHERE w.dsq_kva = q.dsq_kva AND w.waiting_ms > 1000 AND cpu_in_list(o.affinity, c.cpu))
    -- In the queue's own order it would come later, or it is of another cgroup than all who wait there.
    AND (q.by_vtime > 0 AND t.scx_dsq_vtime > q.vtime OR t.cgroup != q.cgroup))
SELECT 'error' AS severity,
       'DSQ ' || dsq_name(q.dsq_id) AS subject,
       printf('nothing consumes it: %d task%s there, the first for %.3f s%s, while CPU %d runs %s (%d)%s', q.n,
              iif(q.n = 1, ' waits', 's wait'), q.waiting_ms / 1e3, iif(whole.cgroup IS NULL, '', ', every runnable one of ' || q.cgroup),
              f.cpu, f.comm, f.pid, iif(f.cgroup != q.cgroup, ' of ' || f.cgroup, '')) AS detail,
       iif(whole.cgroup IS NULL, printf('%d task%s', q.n, iif(q.n = 1, ' waits', 's wait')),
           printf('Every runnable task of %s waits', q.cgroup)) ||
         printf(' in DSQ %s, the first for %.3f s, while %s (%d)%s runs: nothing consumes DSQ %s', dsq_name(q.dsq_id),
                q.waiting_ms / 1e3, f.comm, f.pid, iif(f.cgroup != q.cgroup, ' of ' || f.cgroup, ''), dsq_name(q.dsq_id))
         AS sentence,
       'likely' AS certainty,
       (SELECT json_group_array(thing) FROM (
          SELECT 'task:' || pid AS thing FROM dsq_task w WHERE w.dsq_kva = q.dsq_kva
          UNION SELECT 'dsq:' || q.dsq_kva
          UNION SELECT 'scx:' || x.scheduler FROM scx x JOIN dsq_task w ON w.pid = x.oldest_runnable_pid AND w.dsq_kva = q.dsq_kva)) AS explains,
       json_array(json_object('table', 'dsq', 'dsq_kva', q.dsq_kva, 'nr', q.n),
                  json_object('table', 'cpu', 'cpu', f.cpu),
                  json_object('table', 'task', 'pid', f.pid)) AS evidence
FROM queue q JOIN fed f ON f.dsq_kva = q.dsq_kva
LEFT JOIN (SELECT t.cgroup FROM task t LEFT JOIN dsq_task w ON w.task_kva = t.task_kva
           WHERE t.pid != 0 AND t.on_rq = 1 AND t.cgroup != '/'
           GROUP BY t.cgroup HAVING count(*) = count(w.dsq_kva) AND count(DISTINCT w.dsq_kva) = 1) whole ON whole.cgroup = q.cgroup
GROUP BY q.dsq_kva
ORDER BY q.waiting_ms DESC;
