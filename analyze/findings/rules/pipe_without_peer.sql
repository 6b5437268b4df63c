-- A task waits at one end of a pipe whose other end nobody has open any more: the wake-up of the last close is missing.
-- counted: pipe without a peer, pipes without peers
-- still: what it compares is of one moment
SELECT 'warning' AS severity,
       printf('%s (%s)', comm, pid) AS subject,
       printf('waits in %s for a pipe whose other end is closed everywhere', function) AS detail,
       json_array(json_object('table', 'lock_wait', 'task_kva', task_kva, 'lock_kva', lock_kva))
         AS evidence
FROM lock_wait
WHERE kind = 'pipe' AND CASE WHEN function LIKE '%read%' THEN pipe_writers ELSE pipe_readers END = 0;
