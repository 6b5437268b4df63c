-- A runnable task of sched_ext's is in no dispatch queue, and has been for longer than a second: the scheduler took it and never dispatched it.
-- check: error: every runnable task of sched_ext's stands in a dispatch queue
-- when: SELECT 1 FROM scx
-- rank: 34
-- counted: lost task, lost tasks
SELECT 'error' AS severity,
       printf('%s (%d)', comm, pid) AS subject,
       printf('runnable for %.3f s and in no dispatch queue; the scheduler%s has had it since its enqueueing %d',
              scx_waiting_ms / 1e3, of_sub, scx_ops_qseq) AS detail,
       printf('The scheduler%s took %s (%d) in enqueue %.3f s ago and never dispatched it, although it may use %s',
              coalesce((SELECT ' ' || n.name FROM scheduler_name n WHERE n.scheduler = coalesce(scx_scheduler, 0)), ''),
              comm, pid, scx_waiting_ms / 1e3, iif(affinity GLOB '*[,-]*', 'CPUs ', 'CPU ') || affinity) ||
         iif(count(*) OVER () > 1, printf('; it has lost %d tasks', count(*) OVER ()), '') AS sentence,
       json_array('task:' || pid, 'scx:' || (SELECT x.scheduler FROM scx x WHERE x.oldest_runnable_pid = pid)) AS explains,
       json_array(json_object('table', 'task', 'pid', pid, 'task_kva', task_kva, 'scx_ops_state',
                              scx_ops_state, 'scx_waiting_ms', scx_waiting_ms)) AS evidence
FROM (SELECT *, coalesce((SELECT ' ' || n.name FROM scheduler_name n
                          WHERE n.scheduler = scx_scheduler AND n.level > 0), '') AS of_sub FROM task)
WHERE class = 'ext' AND on_rq = 1 AND on_cpu = 0 AND scx_waiting_ms > 1000
  AND scx_dsq_id IS NULL AND scx_ops_state = 'queued'
  -- Those that wait for a process of the scheduler's that is stopped are told of by loader_stopped.
  AND NOT EXISTS (
    SELECT 1 FROM bpf_holder h JOIN task p ON p.pid = h.pid AND p.state = 'T'
      JOIN bpf_map m ON h.kind = 'map' AND m.id = h.id AND m.type IN ('queue', 'stack', 'ringbuf', 'user_ringbuf')
    WHERE h.pid IN (SELECT x.pid FROM bpf_holder x LEFT JOIN bpf_map y ON x.kind = 'map' AND y.id = x.id
                      LEFT JOIN bpf_link z ON x.kind = 'link' AND z.id = x.id
                    WHERE y.type = 'struct_ops' OR z.type = 'struct_ops'))
ORDER BY scx_waiting_ms DESC;
