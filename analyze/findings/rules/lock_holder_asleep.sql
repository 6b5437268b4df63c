-- A task sleeps, waits for no lock itself, and holds one for which three or more have waited, each of them since it got a CPU last longer than a second ago.
-- check: info: nobody sleeps with a lock for which many wait
-- rank: 48
-- counted: holder of a lock who sleeps, holders of locks who sleep
-- still: what it compares is of one moment
WITH held AS (
  SELECT l.lock_kva, l.kind, coalesce(l.lock_symbol, l.lock_kva) AS lock, l.owner_kva, count(*) AS waiters,
         json_group_array(l.pid) AS pids, (SELECT max(clock_ns) FROM cpu) - max(t.last_arrival_ns) AS since_ns
  FROM lock_wait l JOIN task t ON t.task_kva = l.task_kva
  WHERE l.owner_kva IS NOT NULL AND l.kind NOT IN ('futex', 'pipe')
  GROUP BY l.lock_kva, l.owner_kva)
SELECT iif(o.state = 'D', 'warning', 'info') AS severity,
       printf('%s (%d)', o.comm, o.pid) AS subject,
       printf('sleeps in %s and holds the %s %s, for which %d tasks wait, none for less than some %.3f s',
              coalesce(o.wchan, 'an unknown function'), h.kind, h.lock, h.waiters, h.since_ns / 1e9) AS detail,
       printf('%s (%d) sleeps in %s with the %s %s, for which %d tasks have waited for some %.3f s', o.comm, o.pid,
              coalesce(o.wchan, 'an unknown function'), h.kind, h.lock, h.waiters, h.since_ns / 1e9) AS sentence,
       'likely' AS certainty,
       json_array(json_object('table', 'task', 'pid', o.pid),
                  json_object('table', 'lock_wait', 'lock_kva', h.lock_kva, 'pids', json(h.pids))) AS evidence
FROM held h JOIN task o ON o.task_kva = h.owner_kva
WHERE h.waiters >= 3 AND h.since_ns > 1000000000 AND o.on_rq = 0 AND o.state IN ('S', 'D')
  AND NOT EXISTS (SELECT 1 FROM lock_wait l WHERE l.task_kva = o.task_kva AND l.owner_kva IS NOT NULL)
ORDER BY h.waiters DESC;
