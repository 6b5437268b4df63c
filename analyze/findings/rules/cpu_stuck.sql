-- A CPU has been in the kernel for longer than half a second without letting anybody preempt it: its stop task waits, or the kernel's own watchdog has said so of the task that still runs there. Silent when that task has come since.
-- check: error: no CPU is stuck in the kernel
-- rank: 12
-- counted: CPU stuck in the kernel, CPUs stuck in the kernel
WITH now AS (SELECT max(clock_ns) AS ns FROM cpu),
running AS (
  SELECT c.cpu, c.stop_kva, c.curr_kva, t.pid, t.comm, (SELECT ns FROM now) - t.last_arrival_ns AS ran_ns, v.at
  FROM cpu c JOIN task t ON t.task_kva = c.curr_kva JOIN cpu_now v ON v.cpu = c.cpu
  WHERE c.online = 1 AND t.pid != 0 AND c.curr_kva != c.stop_kva AND v.mode = 'kernel'),
report AS (
  SELECT seq, CAST(between_texts(text, 'soft lockup - CPU#', ' ') AS integer) AS cpu,
         CAST(replace(text, rtrim(text, '0123456789]'), '') AS integer) AS pid, time_ns
  FROM log WHERE facility = 0 AND text LIKE '%BUG: soft lockup - CPU#%'),
stuck AS (
  SELECT r.*, s.pid AS stop_pid, s.comm AS stop_comm, s.waiting_ns AS stop_waiting_ns,
         (SELECT min(seq) FROM report p WHERE p.cpu = r.cpu AND p.pid = r.pid) AS seq
  FROM running r LEFT JOIN task s ON s.task_kva = r.stop_kva AND s.on_rq = 1 AND s.on_cpu = 0
  WHERE r.ran_ns > 500000000
    AND (s.waiting_ns > 500000000
         OR EXISTS (SELECT 1 FROM report p WHERE p.cpu = r.cpu AND p.pid = r.pid AND p.time_ns > (SELECT ns FROM now) - r.ran_ns))),
placed AS (
  SELECT *, coalesce((SELECT between_texts(l.text, 'RIP: 0010:', '+0x') FROM log l WHERE l.seq > s.seq AND l.seq < s.seq + 20
                        AND l.text LIKE 'RIP: 0010:%' ORDER BY l.seq LIMIT 1),
                     -- Below what interrupted it, if anything did.
                     (SELECT f.symbol FROM stack_frame f WHERE f.task_kva = s.curr_kva AND f.kind IN ('call', 'bpf') AND f.symbol IS NOT NULL
                        AND f.depth > coalesce((SELECT max(i.depth) FROM stack_frame i WHERE i.task_kva = s.curr_kva
                                                AND i.kind IN ('interrupt', 'exception')), -1) ORDER BY f.depth LIMIT 1), at) AS function
  FROM stuck s)
SELECT 'error' AS severity,
       printf('CPU %d', cpu) AS subject,
       printf('in %s for %.3f s without preemption: %s (%d)', function, ran_ns / 1e9, comm, pid) ||
         coalesce(printf('; %s (%d) waits for it', stop_comm, stop_pid), '') AS detail,
       printf('CPU %d has been in %s for %.3f s with preemption off: %s (%d)', cpu, function, ran_ns / 1e9, comm, pid) ||
         iif(stop_pid IS NULL, '', printf('; %s (%d) waits for it', stop_comm, stop_pid)) AS sentence,
       iif(seq IS NULL, 'likely', 'certain') AS certainty,
       (SELECT json_group_array(thing) FROM (
          SELECT 'cpu:' || p.cpu AS thing
          UNION SELECT 'task:' || t.pid FROM task t WHERE t.on_rq = 1 AND t.on_cpu = 0 AND t.pid != 0
            AND (t.affinity = CAST(p.cpu AS text) OR t.cpu = p.cpu AND t.class != 'ext')
          UNION SELECT 'dsq:' || w.dsq_kva FROM dsq_task w JOIN task t ON t.task_kva = w.task_kva GROUP BY w.dsq_kva
            HAVING sum(t.affinity != CAST(p.cpu AS text) AND w.waiting_ms > 1000) = 0
          UNION SELECT 'scx:' || x.scheduler FROM scx x JOIN task t ON t.pid = x.oldest_runnable_pid
            WHERE t.affinity = CAST(p.cpu AS text)
          UNION SELECT 'log' WHERE p.seq IS NOT NULL)) AS explains,
       json_array(json_object('table', 'cpu', 'cpu', cpu), json_object('table', 'task', 'pid', pid),
                  json_object('table', 'log', 'seqs', iif(seq IS NULL, json_array(), json_array(seq)))) AS evidence
FROM placed p
ORDER BY ran_ns DESC;
