-- CPUs idle, and a task in a shared dispatch queue may use none of them.
-- check: info: the tasks that wait may use the CPUs that idle
-- counted: task that may not use the idle CPUs, tasks that may not use the idle CPUs
-- still: what it compares is of one moment
SELECT 'info' AS severity,
       printf('%s (%d)', t.comm, t.pid) AS subject,
       printf(iif(t.affinity GLOB '*[,-]*',
                  'waits in DSQ %s for %.3f s and may use only the CPUs %s, none of which is idle',
                  'waits in DSQ %s for %.3f s and may use only CPU %s, which is not idle'),
              dsq_name(w.dsq_id), w.waiting_ms / 1e3, t.affinity) AS detail,
       json_array(json_object('table', 'task', 'pid', t.pid, 'affinity', t.affinity),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'position', w.position))
         AS evidence
FROM dsq q
JOIN dsq_task w ON w.dsq_kva = q.dsq_kva
JOIN task t ON t.task_kva = w.task_kva
WHERE q.kind IN ('user', 'global') AND w.waiting_ms > 10
  AND EXISTS (SELECT 1 FROM cpu WHERE online = 1 AND curr_kva = idle_kva)
  AND NOT EXISTS (SELECT 1 FROM cpu WHERE online = 1 AND curr_kva = idle_kva
                  AND cpu_in_list(t.affinity, cpu))
ORDER BY w.waiting_ms DESC;
