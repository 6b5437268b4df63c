-- A task that could run has waited for a CPU for longer than a second.
-- check: warning: no runnable task has waited for a CPU for longer than a second
-- counted: long wait, long waits
SELECT CASE WHEN wait_ns > 10000000000 THEN 'error' ELSE 'warning' END AS severity,
       printf('%s (%d)', comm, pid) AS subject,
       printf('class %s%s, on CPU %s: runnable for %.3f s without running%s', coalesce(class, '?'),
              coalesce((SELECT ' of scheduler ' || n.name FROM scheduler_name n WHERE n.scheduler = scx_scheduler AND n.level > 0), ''),
              coalesce(cpu, '?'), wait_ns / 1e9,
              iif(throttled = 1, '; its group has used up its quota', ''))
         AS detail,
       json_array(json_object('table', 'task', 'pid', pid, 'task_kva', task_kva, 'waiting_ns',
                              waiting_ns, 'scx_waiting_ms', scx_waiting_ms, 'scx_dsq_id',
                              scx_dsq_id)) AS evidence
FROM (SELECT *, max(coalesce(waiting_ns, 0), coalesce(scx_waiting_ms, 0) * 1000000) AS wait_ns
      FROM task WHERE pid != 0 AND on_rq = 1 AND on_cpu = 0)
WHERE wait_ns > 1000000000
ORDER BY wait_ns DESC;
