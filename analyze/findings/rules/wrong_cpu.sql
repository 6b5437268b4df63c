-- A task stands in the local dispatch queue of a CPU that it may not use.
-- check: error: no task stands in the local dispatch queue of a CPU that it may not use
-- when: SELECT 1 FROM scx
-- rank: 24
-- counted: task on a wrong CPU, tasks on wrong CPUs
-- still: what it compares is of one moment
SELECT 'error' AS severity,
       printf('%s (%d)', t.comm, t.pid) AS subject,
       printf('stands in the local queue of CPU %d, and may use only %s', q.cpu, t.affinity)
         AS detail,
       json_array(json_object('table', 'task', 'pid', t.pid, 'affinity', t.affinity),
                  json_object('table', 'dsq', 'dsq_kva', q.dsq_kva, 'cpu', q.cpu)) AS evidence
FROM dsq q
JOIN dsq_task w ON w.dsq_kva = q.dsq_kva
JOIN task t ON t.task_kva = w.task_kva
WHERE q.kind = 'local' AND NOT cpu_in_list(t.affinity, q.cpu);
