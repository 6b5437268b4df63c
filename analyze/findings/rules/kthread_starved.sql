-- A thread of the kernel's that may use one CPU alone has waited for it for longer than a second, while tasks came and went there: the scheduler prefers others. Silent where one task has had that CPU all the time: then that is the cause.
-- check: warning: no thread of the kernel's is starved by others
-- rank: 50
-- counted: starved kernel thread, starved kernel threads
SELECT 'warning' AS severity,
       printf('%s (%d)', t.comm, t.pid) AS subject,
       what AS detail,
       printf('%s (%d) ', t.comm, t.pid) || what AS sentence,
       'certain' AS certainty,
       json_array('task:' || t.pid) AS explains,
       json_array(json_object('table', 'task', 'pid', t.pid), json_object('table', 'cpu', 'cpu', c.cpu)) AS evidence
FROM (SELECT t.*, max(coalesce(t.waiting_ns, 0), coalesce(t.scx_waiting_ms, 0) * 1000000) AS wait_ns,
             printf('has waited for CPU %s for %.3f s', t.affinity,
                    max(coalesce(t.waiting_ns, 0), coalesce(t.scx_waiting_ms, 0) * 1000000) / 1e9) ||
             coalesce((SELECT printf(', while %s (%d) of class %s came there', r.comm, r.pid, r.class) FROM cpu x JOIN task r ON r.task_kva = x.curr_kva
                       WHERE CAST(x.cpu AS text) = t.affinity), '') ||
             coalesce((SELECT iif(count(*) = 1, printf('; the work %s waits for it', min(w.function)),
                                  printf('; %d pieces of work wait for it', count(*)))
                       FROM work_item w WHERE w.state IN ('pending', 'scheduled') AND w.pool_kva IN (
                         SELECT o.pool_kva FROM work_item o WHERE o.worker_pid = t.pid) HAVING count(*) > 0), '') AS what
      FROM task t WHERE t.is_kthread = 1 AND t.pid != 0 AND t.on_rq = 1 AND t.on_cpu = 0 AND t.class IN ('fair', 'ext')) t
JOIN cpu c ON CAST(c.cpu AS text) = t.affinity AND c.online = 1 AND c.curr_kva != c.idle_kva
JOIN task r ON r.task_kva = c.curr_kva
WHERE t.wait_ns > 1000000000
  AND (SELECT max(clock_ns) FROM cpu) - r.last_arrival_ns < t.wait_ns / 2
ORDER BY t.wait_ns DESC;
