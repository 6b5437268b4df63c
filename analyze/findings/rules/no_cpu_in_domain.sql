-- A task has waited in a dispatch queue for longer than a second, while others that came out of that queue, or stand in it again, got CPUs: none of these is one that the task may use. The queue is one of CPUs where it must not run.
-- check: warning: every task waits in a dispatch queue of CPUs that it may use
-- when: SELECT 1 FROM scx
-- rank: 33
-- counted: task in a queue of CPUs that it may not use, tasks in queues of CPUs that they may not use
WITH now AS (SELECT max(clock_ns) AS ns FROM cpu),
-- By CPU, since a queue can hold ten thousands.
other AS (
  SELECT w.dsq_kva, t.cpu, max(t.last_arrival_ns) AS last_arrival_ns, count(*) AS n
  FROM dsq_task w JOIN task t ON t.task_kva = w.task_kva
  GROUP BY w.dsq_kva, t.cpu)
SELECT 'warning' AS severity,
       printf('%s (%d)', t.comm, t.pid) AS subject,
       printf('may use only %s, and DSQ %s, in which it has waited for %.3f s, is consumed by others: CPU%s %s', t.affinity,
              dsq_name(q.dsq_id), w.waiting_ms / 1e3, iif(count(DISTINCT o.cpu) = 1, '', 's'), group_concat(DISTINCT o.cpu)) AS detail,
       printf('%s (%d) may use only %s %s, and the scheduler keeps it in DSQ %s, which is consumed by CPU%s %s: it has waited for %.3f s',
              t.comm, t.pid, iif(t.affinity GLOB '*[,-]*', 'CPUs', 'CPU'), t.affinity, dsq_name(q.dsq_id),
              iif(count(DISTINCT o.cpu) = 1, '', 's'), group_concat(DISTINCT o.cpu), w.waiting_ms / 1e3) AS sentence,
       'likely' AS certainty,
       json_array('task:' || t.pid, 'dsq:' || q.dsq_kva) AS explains,
       json_array(json_object('table', 'task', 'pid', t.pid, 'affinity', t.affinity),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'position', w.position)) AS evidence
FROM dsq q JOIN dsq_task w ON w.dsq_kva = q.dsq_kva JOIN task t ON t.task_kva = w.task_kva
JOIN other o ON o.dsq_kva = q.dsq_kva AND o.last_arrival_ns > (SELECT ns FROM now) - w.waiting_ms * 1000000
WHERE q.kind = 'user' AND w.waiting_ms > 1000
GROUP BY w.task_kva
HAVING sum(cpu_in_list(t.affinity, o.cpu)) = 0 AND sum(o.n) >= 2
ORDER BY w.waiting_ms DESC;
