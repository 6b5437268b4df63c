-- A runnable task of sched_ext's is in no dispatch queue, and has been for longer than a second: the scheduler took it and never dispatched it.
-- check: error: every runnable task of sched_ext's stands in a dispatch queue
-- when: SELECT 1 FROM scx
SELECT 'error' AS severity,
       printf('%s (%d)', comm, pid) AS subject,
       printf('runnable for %.3f s and in no dispatch queue; the scheduler has had it since its enqueueing %d',
              scx_waiting_ms / 1e3, scx_ops_qseq) AS detail,
       json_array(json_object('table', 'task', 'pid', pid, 'task_kva', task_kva, 'scx_ops_state',
                              scx_ops_state, 'scx_waiting_ms', scx_waiting_ms)) AS evidence
FROM task
WHERE class = 'ext' AND on_rq = 1 AND on_cpu = 0 AND scx_waiting_ms > 1000
  AND scx_dsq_id IS NULL AND scx_ops_state = 'queued'
ORDER BY scx_waiting_ms DESC;
