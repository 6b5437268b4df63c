-- The oldest runnable task of a sched_ext scheduler has waited for more than half of its watchdog timeout.
-- check: warning: no runnable task has used up more than half of the watchdog's timeout
-- when: SELECT 1 FROM scx
-- rank: 95
-- counted: watchdog that is near, watchdogs that are near
SELECT CASE WHEN watchdog_margin_ms <= 0 THEN 'error' ELSE 'warning' END AS severity,
       'scheduler ' || name AS subject,
       printf('%s has been runnable for %.3f s of the %.3f s after which the watchdog ends the scheduler',
              coalesce((SELECT printf('%s (%d)', t.comm, t.pid) FROM task t WHERE t.pid = oldest_runnable_pid AND t.pid != 0),
                       'task ' || oldest_runnable_pid),
              oldest_waiting_ms / 1e3, watchdog_timeout_ms / 1e3) AS detail,
       json_array(json_object('table', 'scx', 'scheduler', scheduler, 'watchdog_margin_ms',
                              watchdog_margin_ms),
                  json_object('table', 'task', 'pid', oldest_runnable_pid)) AS evidence
FROM scx JOIN scheduler_name USING (scheduler)
WHERE enable_state = 'enabled' AND watchdog_margin_ms < watchdog_timeout_ms / 2;
