-- A real-time, deadline or stop task has kept its CPU for longer than 200 ms, or any other task for longer than 10 s, while others wait for it.
-- check: warning: nobody keeps a CPU while others wait for it
SELECT CASE WHEN ran_ns > 10000000000 THEN 'error' ELSE 'warning' END AS severity,
       printf('CPU %d', cpu) AS subject,
       printf('%s (%d) of class %s has it for %.3f s; %d tasks are queued', comm, pid, class,
              ran_ns / 1e9, queued) AS detail,
       json_array(json_object('table', 'cpu', 'cpu', cpu, 'nr_running', queued),
                  json_object('table', 'task', 'pid', pid, 'last_arrival_ns', last_arrival_ns))
         AS evidence
FROM (SELECT c.cpu, c.nr_running AS queued, t.pid, t.comm, t.class, t.last_arrival_ns,
             (SELECT max(clock_ns) FROM cpu) - t.last_arrival_ns AS ran_ns
      FROM cpu c JOIN task t ON t.task_kva = c.curr_kva
      WHERE c.online = 1 AND t.pid != 0 AND c.nr_running > 1)
WHERE ran_ns > CASE WHEN class IN ('rt', 'dl', 'stop') THEN 200000000 ELSE 10000000000 END
ORDER BY ran_ns DESC;
