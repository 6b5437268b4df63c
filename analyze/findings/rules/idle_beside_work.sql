-- A CPU idles while tasks that may use it have waited in a shared dispatch queue for longer than 10 ms.
-- check: warning: no CPU idles while tasks that may use it wait
-- rank: 80
-- counted: idle CPU, idle CPUs
-- still: what it compares is of one moment
SELECT 'warning' AS severity,
       printf('CPU %d', c.cpu) AS subject,
       printf(iif(count(*) = 1,
                  'idle, while %d task that may use it waits in DSQ %s%s, for %.3f s',
                  'idle, while %d tasks that may use it wait in DSQ %s%s, the first for %.3f s'),
              count(*), dsq_name(q.dsq_id),
              coalesce((SELECT ' of scheduler ' || n.name FROM scheduler_name n WHERE n.scheduler = q.scheduler AND n.level > 0), ''),
              max(w.waiting_ms) / 1e3) AS detail,
       json_array(json_object('table', 'cpu', 'cpu', c.cpu),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'pids',
                              json_group_array(w.pid))) AS evidence
FROM cpu c
JOIN dsq q ON q.kind IN ('user', 'global')
JOIN dsq_task w ON w.dsq_kva = q.dsq_kva
JOIN task t ON t.task_kva = w.task_kva
WHERE c.online = 1 AND c.curr_kva = c.idle_kva
  AND w.waiting_ms > 10 AND cpu_in_list(t.affinity, c.cpu)
  -- A sub-scheduler may run nothing on a CPU that it was not given.
  AND NOT EXISTS (SELECT 1 FROM scx_cpu s WHERE s.scheduler = q.scheduler AND s.cpu = c.cpu
                  AND s.caps NOT LIKE '%enq%')
GROUP BY c.cpu, q.dsq_kva
ORDER BY c.cpu;
