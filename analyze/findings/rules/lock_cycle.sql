-- Tasks wait for each other in a circle: each waits for a lock that the next one holds.
-- check: error: no tasks wait for each other in a circle
-- rank: 14
-- counted: task in a circle of locks, tasks in a circle of locks
WITH RECURSIVE chain(first, at, path, length) AS (
  SELECT task_kva, owner_kva, json_array(pid), 1 FROM lock_wait WHERE owner_kva IS NOT NULL
  UNION ALL
  SELECT c.first, w.owner_kva, json_insert(c.path, '$[#]', w.pid), c.length + 1
  FROM chain c JOIN lock_wait w ON w.task_kva = c.at
  WHERE w.owner_kva IS NOT NULL AND c.at != c.first AND c.length < 64
)
SELECT 'error' AS severity,
       printf('%s (%s)', t.comm, t.pid) AS subject,
       printf('waits for a lock in a circle of %d tasks, itself included', c.length) AS detail,
       json_array(json_object('table', 'lock_wait', 'pids', json(c.path))) AS evidence
FROM chain c JOIN task t ON t.task_kva = c.first
WHERE c.at = c.first
ORDER BY t.pid;
