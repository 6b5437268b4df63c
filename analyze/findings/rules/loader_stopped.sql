-- A scheduler that decides in user space is stopped (SIGSTOP, a debugger): its process holds the scheduler and a queue between the two, and runnable tasks wait in no dispatch queue. Of the tasks that wait for it the queue map holds those that it has not taken out yet.
-- check: error: no scheduler waits for a process of its own that is stopped
-- when: SELECT 1 FROM scx
-- rank: 20
-- counted: stopped process of a scheduler, stopped processes of schedulers
SELECT 'error' AS severity,
       printf('%s (%d)', t.comm, t.pid) AS subject,
       printf('the scheduler''s process is stopped and %d task%s for it, the first for %.3f s; queue map %s',
              w.n, iif(w.n = 1, ' waits', 's wait'), w.waiting_ms / 1e3, q.held) AS detail,
       json_array(json_object('table', 'task', 'pid', t.pid, 'task_kva', t.task_kva, 'state', t.state),
                  json_object('table', 'bpf_holder', 'pid', t.pid)) AS evidence
FROM task t,
     (SELECT count(*) AS n, max(scx_waiting_ms) AS waiting_ms FROM task
      WHERE class = 'ext' AND on_rq = 1 AND on_cpu = 0
        AND scx_dsq_id IS NULL AND scx_ops_state = 'queued') w,
     (SELECT h.pid, group_concat(m.name || ' holds ' || ifnull(m.entries, 'an unknown number'), ', ') AS held
      FROM (SELECT DISTINCT pid, id FROM bpf_holder WHERE kind = 'map') h JOIN bpf_map m ON m.id = h.id
      WHERE m.type IN ('queue', 'stack', 'ringbuf', 'user_ringbuf') GROUP BY h.pid) q
WHERE q.pid = t.pid AND t.state = 'T' AND w.waiting_ms > 1000
  AND EXISTS (SELECT 1 FROM bpf_holder h LEFT JOIN bpf_map m ON h.kind = 'map' AND m.id = h.id
                LEFT JOIN bpf_link l ON h.kind = 'link' AND l.id = h.id
              WHERE h.pid = t.pid AND (m.type = 'struct_ops' OR l.type = 'struct_ops'));
