-- Tasks stand in the local dispatch queue of a CPU that is offline.
-- check: error: no task stands in the local dispatch queue of a CPU that is offline
-- when: SELECT 1 FROM scx
-- rank: 24
-- counted: dispatch to an offline CPU, dispatches to offline CPUs
-- still: what it compares is of one moment
SELECT 'error' AS severity,
       printf('CPU %d', q.cpu) AS subject,
       printf('offline, and %s in its local queue', iif(count(*) = 1, printf('%s (%d) stands', min(w.comm), min(w.pid)),
                                                        printf('%d tasks stand', count(*)))) AS detail,
       printf('The scheduler%s dispatched %s to CPU %d, which is offline',
              coalesce((SELECT ' ' || n.name FROM scheduler_name n JOIN scx x USING (scheduler)
                        WHERE x.enable_state = 'enabled' ORDER BY n.level, n.scheduler LIMIT 1), ''),
              iif(count(*) = 1, printf('%s (%d)', min(w.comm), min(w.pid)), printf('%d tasks', count(*))), q.cpu) AS sentence,
       (SELECT json_group_array('task:' || o.pid) FROM dsq_task o WHERE o.dsq_kva = q.dsq_kva) AS explains,
       json_array(json_object('table', 'cpu', 'cpu', q.cpu, 'online', 0),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'pids', json_group_array(w.pid))) AS evidence
FROM dsq q JOIN dsq_task w ON w.dsq_kva = q.dsq_kva JOIN cpu c ON c.cpu = q.cpu AND c.online = 0
WHERE q.kind = 'local'
GROUP BY q.dsq_kva
ORDER BY q.cpu;
