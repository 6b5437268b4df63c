-- A sched_ext scheduler is loaded, but the kernel schedules without asking it.
-- check: warning: the kernel asks the sched_ext scheduler that is loaded
-- when: SELECT 1 FROM scx
-- rank: 40
-- counted: bypassed scheduler, bypassed schedulers
SELECT 'warning' AS severity,
       'scheduler ' || name AS subject,
       printf('The kernel schedules in place of the scheduler %s, which is %s (bypass depth %d)', name, enable_state, bypass_depth) AS sentence,
       printf('is %s, with a bypass depth of %d', enable_state, bypass_depth) AS detail,
       json_array(json_object('table', 'scx', 'scheduler', scheduler, 'bypass_depth', bypass_depth))
         AS evidence
FROM scx JOIN scheduler_name USING (scheduler)
WHERE ops_name IS NOT NULL AND (bypass_depth > 0 OR enable_state IN ('disabling', 'disabled'));
