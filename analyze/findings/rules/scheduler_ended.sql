-- A sched_ext scheduler is being ended, or was; where that ends its sub-schedulers, too, these are only mentioned.
-- check: error: no sched_ext scheduler is being ended, or was
-- when: SELECT 1 FROM scx
-- rank: 16
-- counted: ended scheduler, ended schedulers
WITH frame AS (
  SELECT x.scheduler, f.key AS depth, f.value AS line
  FROM scx x, json_each('["' || replace(trim(json_quote(replace(x.exit_backtrace, '\', '/')), '"'), '\n', '","') || '"]') f
  WHERE x.exit_backtrace IS NOT NULL),
ended AS (
  SELECT x.*, n.name,
         iif(hex_value(x.exit_code) = 0, '', printf(', exit code %d', hex_value(x.exit_code))) AS code,
         -- A function of the scheduler's own (bpf_prog_TAG_NAME), and else where the kernel found it.
         (SELECT substr(line, 27) FROM frame f
          WHERE f.scheduler = x.scheduler AND line GLOB 'bpf_prog_????????????????_*' ORDER BY depth LIMIT 1) AS own,
         (SELECT between_texts(' ' || line, ' ', '+0x') FROM frame f
          WHERE f.scheduler = x.scheduler AND line NOT GLOB 'scx_*' AND line NOT GLOB 'task_can_run*'
          -- Of what select_cpu and enqueue dispatch themselves, which the kernel carries out later.
          ORDER BY line NOT GLOB 'process_ddsp*', depth LIMIT 1) AS found_in,
         -- "… target CPU 0 not allowed for pinned-0[44]" (task_can_run_on_remote_rq, kernel/sched/ext.c)
         between_texts(x.exit_message, 'target CPU ', ' ') AS target,
         iif(x.exit_message LIKE '%target CPU % not allowed for %[%]',
             CAST(replace(x.exit_message, rtrim(x.exit_message, '0123456789]'), '') AS integer), NULL) AS pid
  FROM scx x JOIN scheduler_name n USING (scheduler)
  WHERE x.exit_kind NOT IN ('none', 'done'))
SELECT CASE WHEN exit_kind LIKE 'error%' THEN 'error' WHEN exit_kind = 'parent' THEN 'info'
            ELSE 'warning' END AS severity,
       'scheduler ' || name AS subject,
       exit_kind || coalesce(': ' || exit_reason, '') || coalesce(' (' || exit_message || ')', '')
         AS detail,
       'The scheduler ' || name || ' ' || CASE
         WHEN pid IS NOT NULL AND target IS NOT NULL THEN
           printf('dispatched %s (%d) to CPU %s', coalesce((SELECT t.comm FROM task t WHERE t.pid = e.pid), 'a task'), pid, target) ||
           coalesce((SELECT '; it may use only ' || iif(t.affinity GLOB '*[,-]*', 'CPUs ', 'CPU ') || t.affinity FROM task t WHERE t.pid = e.pid), '') ||
           '; the kernel ended it' ||
           CASE WHEN own IS NOT NULL THEN ', in ' || own
                WHEN found_in LIKE 'process_ddsp%' THEN ', in ' || found_in || ' (a direct dispatch, by its select_cpu or enqueue)'
                ELSE coalesce(', in ' || found_in, '') END
         WHEN exit_kind = 'error_stall' THEN 'was ended by the watchdog: ' || coalesce(exit_message, exit_reason)
         WHEN exit_kind = 'error_bpf' THEN 'ended itself with an error' || coalesce(' in ' || own, '') || coalesce(': ' || exit_message, '')
         WHEN exit_kind LIKE 'error%' THEN 'was ended by the kernel' || coalesce(' in ' || coalesce(own, found_in), '') ||
                coalesce(': ' || exit_message, ': ' || exit_reason, '')
         WHEN exit_kind = 'unreg_bpf' THEN 'ended itself' || coalesce(': ' || exit_message, '') || code
         WHEN exit_kind = 'unreg_kern' THEN 'was ended by the kernel' || coalesce(': ' || exit_message, ': ' || exit_reason, '') || code
         WHEN exit_kind = 'unreg' THEN 'was unloaded by its user'
         WHEN exit_kind = 'sysrq' THEN 'was ended by SysRq-S'
         WHEN exit_kind = 'parent' THEN 'was ended with its parent'
         ELSE 'ended: ' || coalesce(exit_reason, exit_kind) || coalesce(' (' || exit_message || ')', '') END AS sentence,
       iif(exit_kind = 'error_stall', 60, 16) AS rank,
       json_array('scx:' || scheduler) AS explains,
       json_array(json_object('table', 'scx', 'scheduler', scheduler, 'exit_kind', exit_kind))
         AS evidence
FROM ended e;
