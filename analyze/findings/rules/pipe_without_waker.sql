-- A task sleeps at one end of a pipe, and every thread that has the other end open sleeps on that same pipe: nobody is left to wake any of them. All open descriptions of the other end must have been found in processes' files (one can be on its way through a socket), and a FIFO that was opened for both ways waits for whoever opens it by name.
-- counted: pipe without a waker, pipes without wakers
-- still: what it compares is of one moment
WITH waiter AS (
  SELECT pid, comm, function, task_kva, lock_kva,
         CASE WHEN function LIKE '%read%' THEN 'write' ELSE 'read' END AS other_end,
         CASE WHEN function LIKE '%read%' THEN pipe_writers ELSE pipe_readers END AS other_open
  FROM lock_wait
  WHERE kind = 'pipe'
), found AS (
  SELECT pipe_kva, open_for, count(DISTINCT file_kva) AS files, count(DISTINCT pid) AS processes
  FROM pipe_end
  GROUP BY pipe_kva, open_for
), awake AS (
  SELECT DISTINCT e.pipe_kva, e.open_for
  FROM pipe_end e JOIN task t ON t.tgid = e.pid
       LEFT JOIN lock_wait w
         ON w.task_kva = t.task_kva AND w.kind = 'pipe' AND w.lock_kva = e.pipe_kva
  WHERE t.state NOT IN ('Z', 'X') AND w.task_kva IS NULL
)
SELECT 'warning' AS severity,
       printf('%s (%s)', w.comm, w.pid) AS subject,
       printf('waits in %s for a pipe whose other end is open only where every thread sleeps on that pipe (processes: %d)',
              w.function, f.processes) AS detail,
       json_array(json_object('table', 'lock_wait', 'task_kva', w.task_kva, 'lock_kva', w.lock_kva),
                  json_object('table', 'pipe_end', 'pipe_kva', w.lock_kva, 'open_for', w.other_end))
         AS evidence
FROM waiter w JOIN found f ON f.pipe_kva = w.lock_kva AND f.open_for = w.other_end
WHERE f.files >= w.other_open
  AND NOT EXISTS (
    SELECT 1 FROM awake a WHERE a.pipe_kva = w.lock_kva AND a.open_for = w.other_end);
