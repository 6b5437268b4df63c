-- Every thread of a process sleeps in a futex: none of them can wake another. A suspect only: a futex in shared memory can be woken from outside, and a wait can have a timeout.
-- counted: process asleep, processes asleep
-- still: what it compares is of one moment
WITH futex_waiter AS (
  SELECT DISTINCT task_kva FROM stack_frame WHERE symbol IN ('futex_wait', '__futex_wait')
)
SELECT 'info' AS severity,
       printf('%s (%d)', min(t.comm), t.tgid) AS subject,
       printf('every thread of the process (%d) sleeps in futex_wait; nobody in it can wake them',
              count(*)) AS detail,
       json_array(json_object('table', 'task', 'pids', json_group_array(t.pid))) AS evidence
FROM task t LEFT JOIN futex_waiter f ON f.task_kva = t.task_kva
WHERE t.pid != 0 AND t.is_kthread = 0 AND t.state NOT IN ('Z', 'X')
GROUP BY t.tgid
HAVING count(*) = count(f.task_kva);
