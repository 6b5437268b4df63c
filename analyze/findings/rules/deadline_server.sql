-- A real-time task could run, and waits because the kernel's deadline server gives its CPU to tasks of a lower class for a while: that is what the server is for.
-- check: info: no real-time task waits for a deadline server
-- rank: 36
-- counted: deadline server at work, deadline servers at work
-- still: what it compares is of one moment
SELECT 'info' AS severity,
       printf('CPU %d', c.cpu) AS subject,
       printf('its deadline server lets %s (%d) of class %s run before %s (%d) of class rt', r.comm, r.pid, r.class, t.comm, t.pid) ||
       coalesce(printf(', %.0f ms in each %.0f ms',
                       iif(r.class = 'ext', ext_server_runtime_ns, fair_server_runtime_ns) / 1e6,
                       iif(r.class = 'ext', ext_server_period_ns, fair_server_period_ns) / 1e6), '') AS detail,
       json_array('task:' || t.pid) AS explains,
       json_array(json_object('table', 'cpu', 'cpu', c.cpu), json_object('table', 'task', 'pid', t.pid)) AS evidence
FROM cpu c JOIN task r ON r.task_kva = c.curr_kva AND r.class IN ('fair', 'ext')
JOIN task t ON t.cpu = c.cpu AND t.class = 'rt' AND t.on_rq = 1 AND t.on_cpu = 0
WHERE iif(r.class = 'ext', c.ext_server_active, c.fair_server_active) = 1
GROUP BY c.cpu
ORDER BY c.cpu;
