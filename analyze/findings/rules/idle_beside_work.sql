-- A CPU idles while tasks that may use it have waited in a shared dispatch queue for longer than 10 ms.
-- check: warning: no CPU idles while tasks that may use it wait
SELECT 'warning' AS severity,
       printf('CPU %d', c.cpu) AS subject,
       printf(iif(count(*) = 1,
                  'idle, while %d task that may use it waits in DSQ %s, for %d ms',
                  'idle, while %d tasks that may use it wait in DSQ %s, the first for %d ms'),
              count(*), q.dsq_id, max(w.waiting_ms)) AS detail,
       json_array(json_object('table', 'cpu', 'cpu', c.cpu),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'pids',
                              json_group_array(w.pid))) AS evidence
FROM cpu c
JOIN dsq q ON q.kind IN ('user', 'global')
JOIN dsq_task w ON w.dsq_kva = q.dsq_kva
JOIN task t ON t.task_kva = w.task_kva
WHERE c.online = 1 AND c.curr_kva = c.idle_kva
  AND w.waiting_ms > 10 AND cpu_in_list(t.affinity, c.cpu)
GROUP BY c.cpu, q.dsq_kva
ORDER BY c.cpu;
