-- A sched_ext scheduler is being ended, or was; where that ends its sub-schedulers, too, these are only mentioned.
-- check: error: no sched_ext scheduler is being ended, or was
-- when: SELECT 1 FROM scx
SELECT CASE WHEN exit_kind LIKE 'error%' THEN 'error' WHEN exit_kind = 'parent' THEN 'info'
            ELSE 'warning' END AS severity,
       'scheduler ' || name AS subject,
       exit_kind || coalesce(': ' || exit_reason, '') || coalesce(' (' || exit_message || ')', '')
         AS detail,
       json_array(json_object('table', 'scx', 'scheduler', scheduler, 'exit_kind', exit_kind))
         AS evidence
FROM scx JOIN scheduler_name USING (scheduler)
WHERE exit_kind NOT IN ('none', 'done');
