-- A sched_ext scheduler is being ended, or was.
-- check: error: no sched_ext scheduler is being ended, or was
-- when: SELECT 1 FROM scx
SELECT CASE WHEN exit_kind LIKE 'error%' THEN 'error' ELSE 'warning' END AS severity,
       printf('scheduler %s', coalesce(ops_name, '(unloaded)')) AS subject,
       exit_kind || coalesce(': ' || exit_reason, '') || coalesce(' (' || exit_message || ')', '')
         AS detail,
       json_array(json_object('table', 'scx', 'scheduler', scheduler, 'exit_kind', exit_kind))
         AS evidence
FROM scx
WHERE exit_kind NOT IN ('none', 'done');
